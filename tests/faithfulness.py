"""Whether a heat map shows what counted: the fall of the score when its hottest part is deleted, or another."""

from __future__ import annotations

import cv2
import numpy as np


def lost(score, picture, mask):
    """How far the score falls when a region is replaced by what is around it, smeared."""
    smeared = cv2.GaussianBlur(picture, (0, 0), 40)
    return score([picture])[0] - score([np.where(mask[..., None], smeared, picture)])[0]


def most_important(heat, window, share):
    """The part of the window that is hottest: so much of its area."""
    x1, y1, x2, y2 = window
    inside = np.zeros(heat.shape, bool)
    inside[y1:y2, x1:x2] = True
    return inside & (heat >= np.quantile(heat[y1:y2, x1:x2], 1 - share))


def random_regions(shape, window, share, count):
    """Rectangles of the window's proportions and of that share of its area, anywhere in it."""
    rng = np.random.default_rng(7)
    x1, y1, x2, y2 = window
    width, height = round((x2 - x1) * share**0.5), round((y2 - y1) * share**0.5)
    for _ in range(count):
        mask = np.zeros(shape, bool)
        x, y = int(rng.integers(x1, x2 - width + 1)), int(rng.integers(y1, y2 - height + 1))
        mask[y : y + height, x : x + width] = True
        yield mask


def falls(score, picture, window, heat, share=0.15):
    """The fall when the hottest `share` of the window is deleted, and the mean fall over rectangles of that size."""
    random = [lost(score, picture, mask) for mask in random_regions(picture.shape[:2], window, share, 8)]
    return lost(score, picture, most_important(heat, window, share)), float(np.mean(random))
