"""From people in a picture to their faces: head part of the box, localiser, alignment by five points, embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.errors import ModelError
from contracts.manifest import ModelManifest, model_bytes
from stream.geometry import iou
from stream.vision.heads import Boxes, suppress
from stream.vision.image import Picture, Size, decode, fit, letterbox
from stream.vision.session import SessionOptions, open_runtime

Floats = NDArray[np.float32]
Numbers = NDArray[np.float32] | NDArray[np.float64]

ALIGNED_SIDE = 112
"""Width and height of an aligned face, px."""

REFERENCE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the eyes, the nose and the corners of the mouth (left to right in the picture) of an aligned face lie: the
reference of ArcFace (arXiv:1801.07698), which the embedder was trained with."""

STRIDE = 32
"""The localiser's coarsest stride: sides of its input are multiples of it."""

LEAST_SIDE = 128
"""The least side of the localiser's input, px: with fewer cells than its export's 300 best there would be no answer."""

WHOLE_SIDES = (160, 320, 640)
"""A whole picture is looked at with its long side so many px large: the localiser finds faces of 10 to some 300 px, and
its points are best where the face is some 100."""

SAME_FACE_IOU = 0.45


class Face(NamedTuple):
    """One face in pixels of its picture: box, the localiser's confidence, five points float64[5,2] (see REFERENCE)."""

    xyxy: tuple[float, float, float, float]
    confidence: float
    points: NDArray[np.float64]


class FaceLook(NamedTuple):
    """A face with its unit vector float32[D] and how good the look is (0..1)."""

    face: Face
    vector: Floats
    quality: float


@dataclass(frozen=True)
class FaceConfig:
    """Which people are looked at: at most `most` of those whose head is worth it (6 ms each).

    Half of them are those with the largest heads, the others take turns: in a crowd everybody is looked at in time.

    A head's square has `head_share` of the box's height or its width, whichever is more; one of fewer than `least_head`
    pixels would show a face of fewer than some 14.
    """

    most: int = 6
    head_share: float = 0.4
    least_head: float = 40.0


class FaceLocaliser:
    """The opened localiser. Threads may share it."""

    def __init__(self, manifest: ModelManifest, opened: Any) -> None:
        self.manifest = manifest
        self._opened = opened
        self._threshold = manifest.thresholds["default"]

    @classmethod
    def open(cls, manifest: ModelManifest, folder: Path, options: SessionOptions) -> FaceLocaliser:
        """Read the model from `folder` and hold it against its manifest; raises ModelError."""
        return cls(
            manifest,
            open_for_pictures(
                manifest, model_bytes(manifest, folder), options, "face-localiser", ("boxes", "scores", "points")
            ),
        )

    def in_heads(self, picture: Picture, squares: Floats) -> list[tuple[Face, ...]]:
        """The faces within each square (xyxy [N,4], px of the picture), in one batch; most confident first."""
        if len(squares) == 0:
            return []
        side = self.manifest.input.width
        batch = np.stack([cut(picture, square, side, self.manifest.input.letterbox) for square in squares])
        scales = (squares[:, 2] - squares[:, 0]) / side
        outputs = self._run(batch)
        return [
            self._faces(*(output[place] for output in outputs), scale=float(scale), offset=square[:2])
            for place, (square, scale) in enumerate(zip(squares, scales, strict=True))
        ]

    def everywhere(self, picture: Picture) -> tuple[Face, ...]:
        """The faces of a whole picture uint8[H,W,3] BGR, large and small ones, most confident first."""
        height, width = picture.shape[:2]
        found: list[Face] = []
        for longest in WHOLE_SIDES:
            size = fit((width, height), (longest, longest))
            into = tuple(max(LEAST_SIDE, -(-side // STRIDE) * STRIDE) for side in size)
            canvas = letterbox(shrunk(picture, size), size, (into[0], into[1]), self.manifest.input.letterbox)
            outputs = self._run(canvas[None])
            found += self._faces(*(output[0] for output in outputs), scale=width / size[0], offset=np.zeros(2))
        found.sort(key=lambda face: (-face.confidence, face.xyxy))
        boxes = Boxes(
            np.array([face.xyxy for face in found], np.float32).reshape(-1, 4),
            np.array([face.confidence for face in found], np.float32),
            np.zeros(len(found), np.int64),
        )
        return tuple(found[place] for place in suppress(boxes, SAME_FACE_IOU))

    def _run(self, batch: NDArray[np.uint8]) -> list[Floats]:
        names = ["boxes", "scores", "points"]
        outputs: list[Floats] = self._opened.run(names, {self.manifest.input.name: batch})
        return outputs

    def _faces(
        self, xyxy: Floats, scores: Floats, points: Floats, *, scale: float, offset: Numbers
    ) -> tuple[Face, ...]:
        faces = []
        for place in np.flatnonzero(scores >= self._threshold):
            x1, y1, x2, y2 = (xyxy[place].reshape(2, 2) * scale + offset).ravel().tolist()
            faces.append(
                Face((x1, y1, x2, y2), float(scores[place]), points[place].astype(np.float64) * scale + offset)
            )
        return tuple(faces)


class FaceEmbedder:
    """The opened embedder. Threads may share it."""

    def __init__(self, manifest: ModelManifest, opened: Any) -> None:
        self.manifest = manifest
        self._opened = opened

    @classmethod
    def open(cls, manifest: ModelManifest, folder: Path, options: SessionOptions) -> FaceEmbedder:
        """Read the model from `folder` and hold it against its manifest; raises ModelError."""
        return cls(
            manifest,
            open_for_pictures(
                manifest, model_bytes(manifest, folder), options, "face-embedder", ("vectors", "qualities")
            ),
        )

    def embed(self, aligned: Sequence[Picture]) -> tuple[Floats, Floats]:
        """Unit vectors float32[N,D] and qualities [N] (0..1) of aligned faces uint8[112,112,3] BGR, in one batch."""
        if len(aligned) == 0:
            return np.zeros((0, self.manifest.embedding), np.float32), np.zeros(0, np.float32)
        vectors, qualities = self._opened.run(["vectors", "qualities"], {self.manifest.input.name: np.stack(aligned)})
        return vectors, qualities

    def enrolled(self, aligned: Sequence[Picture]) -> tuple[Floats, Floats]:
        """The same of pictures to be known by: the middle of each face and its mirror image, which costs twice.

        A seventeenth fewer misses on the validation people; a look in the stream is as good as it is.
        """
        vectors, qualities = self.embed(aligned)
        mirrored, _ = self.embed([np.ascontiguousarray(face[:, ::-1]) for face in aligned])
        middles = vectors + mirrored
        return np.asarray(middles / np.linalg.norm(middles, axis=1, keepdims=True), np.float32), qualities


class FaceLooker:
    """Both models, as the stream uses them: people of a picture in, their faces out."""

    def __init__(self, localiser: FaceLocaliser, embedder: FaceEmbedder, config: FaceConfig) -> None:
        self._localiser = localiser
        self._embedder = embedder
        self._config = config

    def look(self, picture: Picture, people: Floats, turn: int = 0) -> dict[int, FaceLook]:
        """The faces of people (xyxy [N,4], px of the picture uint8[H,W,3] BGR) by their place in `people`.

        At most `most` are looked at, so that the cost of a crowd is bounded; `turn` counts a camera's frames.
        """
        squares = head_squares(people, self._config.head_share)
        chosen = worthwhile(squares, self._config.most, self._config.least_head, turn)
        faces = faces_of(squares[chosen], self._localiser.in_heads(picture, squares[chosen]))
        vectors, qualities = self._embedder.embed([align(picture, face.points) for face in faces.values()])
        return {
            int(chosen[place]): FaceLook(face, vector, float(quality))
            for (place, face), vector, quality in zip(faces.items(), vectors, qualities, strict=True)
        }

    @property
    def model(self) -> str:
        """The embedder's name@version: only vectors of one model can be compared."""
        return self._embedder.manifest.id

    def look_in(self, jpeg: bytes, picture: Size, people: Floats, turn: int = 0) -> dict[int, FaceLook]:
        """As `look`, in the JPEG of a camera's picture of (width, height) px, whatever size the JPEG has.

        `people` and the faces found are in px of the picture. Raises ContractError for a JPEG that can't be decoded.
        """
        heads = head_squares(people, self._config.head_share)
        if not len(worthwhile(heads, self._config.most, self._config.least_head)):
            return {}
        image = decode(jpeg, target=picture, picture=picture)
        scale = image.shape[1] / picture[0]
        looks = self.look(image, np.asarray(people, np.float32) * np.float32(scale), turn)
        return {place: look._replace(face=_scaled(look.face, 1 / scale)) for place, look in looks.items()}

    def enrol(self, picture: Picture) -> tuple[FaceLook, ...]:
        """All faces of a whole picture, most confident first: for enrolment and search."""
        faces = self._localiser.everywhere(picture)
        vectors, qualities = self._embedder.enrolled([align(picture, face.points) for face in faces])
        return tuple(
            FaceLook(face, vector, float(quality))
            for face, vector, quality in zip(faces, vectors, qualities, strict=True)
        )


def _scaled(face: Face, scale: float) -> Face:
    x1, y1, x2, y2 = face.xyxy
    return Face((x1 * scale, y1 * scale, x2 * scale, y2 * scale), face.confidence, face.points * scale)


def head_squares(people: Floats, head_share: float) -> Floats:
    """The square xyxy [N,4] in which each person's head is: as wide as the box or `head_share` of its height.

    A standing person's head is about an eighth of the height; a tenth of the square lies above the box, because boxes
    cut hair. Corners are whole pixels.
    """
    boxes = np.asarray(people, np.float32).reshape(-1, 4)
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.round(np.maximum(widths, heights * head_share))
    left, top = np.round((boxes[:, 0] + boxes[:, 2] - side) / 2), np.round(boxes[:, 1] - side / 10)
    return np.stack((left, top, left + side, top + side), 1)


def worthwhile(squares: Floats, most: int, least_side: float, turn: int = 0) -> NDArray[np.int64]:
    """Places of squares that are large enough, at most `most`, the largest first, in a fixed order.

    Where there are more, the larger half of them is taken each time, and the rest by turns.
    """
    sides = squares[:, 2] - squares[:, 0]
    order = np.lexsort((squares[:, 1], squares[:, 0], -sides))
    large = order[sides[order] >= least_side]
    if len(large) <= most:
        return np.asarray(large, np.int64)
    always = (most + 1) // 2
    rest, room = large[always:], most - always
    by_turns = rest[(np.arange(room) + turn * room) % len(rest)]
    return np.asarray([*large[:always], *by_turns], np.int64)


def faces_of(squares: Floats, found: Sequence[tuple[Face, ...]]) -> dict[int, Face]:
    """One face a square at most: the one nearest to where a head is, and no face for two people.

    Neighbours' squares overlap. The pair of square and face whose centre is nearest to the middle of the upper half, in
    sides of the square, is taken first.
    """
    pairs = []
    for place, faces in enumerate(found):
        x1, y1, x2, _ = squares[place].tolist()
        side = x2 - x1
        for face in faces:
            x, y = (face.xyxy[0] + face.xyxy[2]) / 2, (face.xyxy[1] + face.xyxy[3]) / 2
            apart = float(np.hypot(x - x1 - side / 2, y - y1 - side / 3)) / side
            pairs.append((apart, place, face))
    pairs.sort(key=lambda pair: (pair[0], pair[1], pair[2].xyxy))
    taken: dict[int, Face] = {}
    for _, place, face in pairs:
        others = [other.xyxy for other in taken.values()]
        if place not in taken and not (others and (iou([face.xyxy], others) >= SAME_FACE_IOU).any()):
            taken[place] = face
    return dict(sorted(taken.items()))


def similarity(points: Numbers, wanted: Numbers) -> NDArray[np.float64]:
    """The turn, scale and shift [2,3] that bring points [N,2] nearest to `wanted` (least squares; Umeyama 1991).

    With points as complex numbers it is z -> a z + b, a the quotient of the centred sums. ValueError for points that
    coincide.
    """
    here, there = (np.asarray(values, np.float64) @ np.array([1, 1j]) for values in (points, wanted))
    centred = here - here.mean()
    spread = float((abs(centred) ** 2).sum())
    if not spread > 0:
        raise ValueError("the points coincide: no turn and scale follow from them")
    a = complex((centred.conj() * (there - there.mean())).sum() / spread)
    b = complex(there.mean() - a * here.mean())
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(picture: Picture, points: Numbers) -> Picture:
    """The face uint8[112,112,3] whose five points (px of the picture) come to lie on REFERENCE; ValueError as above."""
    matrix = similarity(points, REFERENCE)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:  # bilinear sampling alone would alias: take the face out and shrink it with area weights first
        reach = round(1.5 * ALIGNED_SIDE / scale)
        corner = np.round(points.mean(0) - reach / 2)
        side = round(reach * scale)
        picture = cut(picture, np.concatenate((corner, corner + reach)), side, 0)
        matrix = similarity((points - corner) * (side / reach), REFERENCE)
    return np.asarray(cv2.warpAffine(picture, matrix, (ALIGNED_SIDE, ALIGNED_SIDE), flags=cv2.INTER_LINEAR), np.uint8)


def shrunk(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture resized to `size` (width, height), with area weights where that shrinks it."""
    way = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def cut(picture: Picture, xyxy: Numbers, side: int, pad: int) -> Picture:
    """The square part (whole px) of a picture, `side` px large, with `pad` where it lies beyond the picture's edge."""
    height, width = picture.shape[:2]
    left, top, right, bottom = xyxy.astype(int).tolist()
    inside = picture[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if not inside.size:
        return np.full((side, side, 3), pad, np.uint8)
    framed = cv2.copyMakeBorder(
        inside,
        max(0, -top),
        max(0, bottom - height),
        max(0, -left),
        max(0, right - width),
        cv2.BORDER_CONSTANT,
        value=(pad, pad, pad),
    )
    return shrunk(framed, (side, side))


def open_for_pictures(
    manifest: ModelManifest, model: bytes, options: SessionOptions, task: str, outputs: tuple[str, ...]
) -> Any:
    """A session of a model of this task that takes uint8 pictures and gives these outputs; raises ModelError."""
    if manifest.task != task:
        raise ModelError(f"{manifest.id}: is a {manifest.task}, not a {task}")
    opened = open_runtime(manifest, model, options)
    inputs = [(end.name, end.type) for end in opened.get_inputs()]
    if inputs != [(manifest.input.name, "tensor(uint8)")]:
        raise ModelError(f"{manifest.id}: the inputs are {inputs}, not uint8 pictures as {manifest.input.name}")
    names = [end.name for end in opened.get_outputs()]
    if missing := [name for name in outputs if name not in names]:
        raise ModelError(f"{manifest.id}: gives {', '.join(names)}, not {', '.join(missing)}")
    return opened
