"""How much of a picture changed, measured on a small grey copy: a background of Gaussian mixtures (MOG2).

Z. Zivkovic, "Improved adaptive Gaussian mixture model for background subtraction", ICPR 2004.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

SMALL_WIDTH = 160
"""A thing of 12 pixels in 640 is still 3: more than noise. Half of that width would cost half as much and miss it."""

ABSORB_S = 10.0
"""The time after which something that stands still has become background."""

MIXTURES = 3
"""Two backgrounds that take turns (a tree in the wind) and what is before them."""

BACKGROUND_SHARE = 0.9
"""MOG2's own: the components that make up so much of a pixel's past are its background. What is new has become part of
it when the old share has faded to that, after ln(1 / 0.9) = 0.105 time constants."""


def small_grey(picture: Image) -> Image:
    """A grey copy (h, w) of a BGR picture (H, W, 3), at most 160 pixels wide.

    Each pixel is the mean of sixteen, spread over what it stands for: averaging all of them costs three times as much,
    as much as decoding the picture, and only noise would tell the difference.
    """
    height, width = picture.shape[:2]
    if width > SMALL_WIDTH:
        small = (SMALL_WIDTH, max(round(height * SMALL_WIDTH / width), 1))
        if width >= 4 * SMALL_WIDTH and height >= 4 * small[1]:
            picture = cv2.resize(picture, (2 * small[0], 2 * small[1]), interpolation=cv2.INTER_LINEAR)
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


class MotionGate:
    """One camera's background. `threshold` is MOG2's squared distance in standard deviations."""

    def __init__(self, threshold: float) -> None:
        self._background = cv2.createBackgroundSubtractorMOG2(varThreshold=threshold, detectShadows=False)
        self._background.setNMixtures(MIXTURES)
        self._threshold = threshold
        self._before: tuple[int, tuple[int, ...]] | None = None

    def measure(self, small: Image, captured_at_ms: int, threshold: float) -> float:
        """The share 0-1 of the picture that is not background; 0 for the first picture and after a change of size."""
        if threshold != self._threshold:
            self._background.setVarThreshold(threshold)
            self._threshold = threshold
        before, self._before = self._before, (captured_at_ms, small.shape)
        if before is None or before[1] != small.shape:
            self._background.apply(small, learningRate=1.0)
            return 0.0
        passed_s = (captured_at_ms - before[0]) / 1000
        # By time and not by pictures: the same scene at 5 and at 25 pictures a second is learned alike.
        rate = min(max(passed_s * -math.log(BACKGROUND_SHARE) / ABSORB_S, 0.0), 0.1)
        mask = self._background.apply(small, learningRate=rate)
        # A lone pixel is noise; the smallest thing that counts is 3x3.
        return float(cv2.countNonZero(cv2.medianBlur(mask, 3))) / small.size
