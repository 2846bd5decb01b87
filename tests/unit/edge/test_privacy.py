"""What is masked is black in the JPEG's pixels, in both sizes; nothing else is, and nothing is enlarged."""

import cv2
import numpy as np
import pytest

from edge.encode import encode_jpeg

TRIANGLE = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5))
DOOR = ((0.6, 0.6), (0.9, 0.6), (0.9, 1.0), (0.6, 1.0))


def bright(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 220, np.uint8)


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


def inside(masks: tuple[tuple[tuple[float, float], ...], ...], width: int, height: int, grow: int) -> np.ndarray:
    """Where the masks are (H, W), drawn by another way than the product's: a point's side of each edge."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    found = np.zeros((height, width), np.uint8)
    for mask in masks:
        sides = [
            (bx - ax) * (y - ay) - (by - ay) * (x - ax)
            for (ax, ay), (bx, by) in zip(mask, mask[1:] + mask[:1], strict=True)
        ]
        found |= np.all([side >= 0 for side in sides], axis=0).astype(np.uint8)
    kernel = np.ones((2 * abs(grow) + 1,) * 2, np.uint8)
    # The picture's border is no edge of a mask that reaches it.
    return (cv2.dilate if grow > 0 else cv2.erode)(found, kernel, borderType=cv2.BORDER_REPLICATE).astype(bool)


@pytest.mark.parametrize("height", [None, 240, 300], ids=["full", "half", "fraction"])
@pytest.mark.parametrize("masks", [(TRIANGLE,), (DOOR,), (TRIANGLE, DOOR)], ids=["triangle", "door", "both"])
def test_masks_are_black_in_the_decoded_pixels(
    masks: tuple[tuple[tuple[float, float], ...], ...], height: int | None
) -> None:
    picture = decoded(encode_jpeg(bright(640, 480), height=height, quality=85, masks=masks))
    masked = picture.max(axis=2)
    h, w = masked.shape
    # JPEG spreads an edge over its 8x8 block, and over 16x16 in colour; the value there is still far from the scene's.
    assert masked[inside(masks, w, h, -2)].max() < 90
    assert masked[inside(masks, w, h, -16)].max() < 8
    assert masked[~inside(masks, w, h, 16)].min() > 200


def test_the_pixels_on_the_mask_s_border_are_black_too() -> None:
    picture = bright(64, 64)
    encode_jpeg(picture, height=None, quality=85, masks=(DOOR,))
    assert picture[round(0.6 * 63), round(0.7 * 63)].max() == 0
    assert picture[63, round(0.75 * 63)].max() == 0  # down to the last row


@pytest.mark.parametrize(
    ("size", "height", "expected"),
    [
        ((640, 480), None, (640, 480)),  # full size
        ((640, 480), 480, (640, 480)),  # as it is
        ((640, 480), 720, (640, 480)),  # never enlarged
        ((1920, 1080), 480, (853, 480)),  # shrunk, shape kept
        ((768, 576), 480, (640, 480)),  # by a fraction
        ((2, 480), 64, (1, 64)),  # at least a pixel wide
    ],
)
def test_sizes(size: tuple[int, int], height: int | None, expected: tuple[int, int]) -> None:
    picture = decoded(encode_jpeg(bright(*size), height=height, quality=85, masks=()))
    assert (picture.shape[1], picture.shape[0]) == expected


def test_quality_is_used() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    sizes = [len(encode_jpeg(noise.copy(), height=None, quality=q, masks=())) for q in (40, 70, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2
