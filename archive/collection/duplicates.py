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
ROWS_AT_ONCE = 1024


def fingerprint(picture: Picture) -> np.uint64:
    """64 bits: whether each of 8x8 cells is brighter than its right neighbour (dHash; Krawetz 2013)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = np.packbits((cells[:, :-1] > cells[:, 1:]).ravel())
    return np.uint64(int.from_bytes(bits.tobytes(), "big"))


def groups(prints: Iterable[np.uint64], most_bits: int = ALIKE_BITS, given: Sequence[str] = ()) -> NDArray[np.int64]:
    """The group [N] of each picture, named by its first member: who is near somebody of a group belongs to it.

    So do those for whom the same is `given` ("": nothing is).
    """
    known = np.array(list(prints), np.uint64)
    root = np.arange(len(known))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = int(root[place])
        return place

    for first in range(0, len(known), ROWS_AT_ONCE):
        apart = np.bitwise_count(known[first : first + ROWS_AT_ONCE, None] ^ known[None])
        for row, column in np.argwhere(apart <= most_bits):
            one, other = find(first + int(row)), find(int(column))
            root[max(one, other)] = min(one, other)
    firsts: dict[str, int] = {}
    for place, name in enumerate(given):
        one, other = find(firsts.setdefault(name, place) if name else place), find(place)
        root[max(one, other)] = min(one, other)
    return np.array([find(place) for place in range(len(known))], np.int64)
