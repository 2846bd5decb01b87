"""Near duplicates: pictures that show the same moment, which must not stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from archive.collection.seeing import Picture

Fingerprints = NDArray[np.uint64]

ALIKE_BITS = 8
"""Of 64 bits so many may differ: frames of one scene seconds apart do in some 4, other pictures in 32 on average."""


def fingerprint(picture: Picture) -> np.uint64:
    """64 bits: whether each of 8x8 cells is brighter than its right neighbour (dHash; Krawetz 2013)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.packbits((cells[:, :-1] > cells[:, 1:]).ravel())
    return np.uint64(int.from_bytes(bits.tobytes(), "big"))


def groups(prints: Iterable[np.uint64], most_bits: int = ALIKE_BITS, given: Sequence[str] = ()) -> NDArray[np.int64]:
    """The group [N] of each picture, named by its first member: who is near somebody of a group belongs to it.

    So do those for whom the same is `given` ("": nothing is). Each picture is held against those alone that are in no
    group yet: of a camera whose pictures are all alike that is none soon, where all pairs of 10,000 took minutes.
    """
    known = np.array(list(prints), np.uint64)
    names = np.array([*given, *[""] * (len(known) - len(given))], object)
    group = np.full(len(known), -1)
    for first in range(len(known)):
        if group[first] >= 0:
            continue
        group[first] = first
        waiting, free = [first], first + 1 + np.flatnonzero(group[first + 1 :] < 0)
        while waiting and len(free):
            one = waiting.pop()
            near = np.bitwise_count(known[free] ^ known[one]) <= most_bits
            if names[one]:
                near |= names[free] == names[one]
            group[free[near]] = first
            waiting += free[near].tolist()
            free = free[~near]
    return group
