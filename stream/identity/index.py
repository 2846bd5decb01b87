"""Who of a gallery of more than LARGE pictures may be meant by a look: by short codes, in a library's (faiss).

A product quantiser: two numbers of a vector are one of 16 words, so a picture is 32 bytes, and all of them are looked
at in registers (André et al., "Cache locality is not enough", VLDB 2015). Measured with 300,000 pictures, a look with
cosine .45 to .7 to its person has them among the CANDIDATES in 300 of 300 cases; cells (IVF) with 1 in 8 of them looked
into lose 4 of 10 such looks: what is seen of a face is too far from its picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from stream.identity.cohort import Vectors
from stream.identity.gallery import Vector

LARGE = 100_000
"""So many pictures are searched exactly, by one product: 12.8 million multiplications."""
CANDIDATES = 500
"""Pictures that are then compared exactly: the error of a code moves somebody who is meant by some places, not more."""
SAMPLE = 20_000
"""Pictures of which the words are learned."""
HOW_TO = "pip install 'vedette[large-gallery]'"


class Index(Protocol):
    """The pictures of a gallery at one moment."""

    def candidates(self, look: Vector) -> frozenset[str]:
        """The ids of the people whose pictures are most like the unit vector float32[D], as far as codes tell."""
        ...


class CodeIndex:
    """An Index of unit vectors [N,D], `owners[n]` the id of whose picture n is; D is even."""

    def __init__(self, vectors: Vectors, owners: Sequence[str]) -> None:
        """Learns and codes all: some seconds for a million. Raises ImportError without faiss."""
        import faiss  # optional, and 50 MB: only for galleries that need it

        faiss.omp_set_num_threads(1)  # of this thread: the other core is for the frames
        size = vectors.shape[1]
        self._owners = tuple(owners)
        self._index = faiss.IndexPQFastScan(size, size // 2, 4, faiss.METRIC_INNER_PRODUCT)
        sample = np.random.default_rng(0).choice(len(vectors), min(SAMPLE, len(vectors)), replace=False)
        self._index.train(vectors[np.sort(sample)])
        self._index.add(vectors)

    def candidates(self, look: Vector) -> frozenset[str]:
        """See Index."""
        _, rows = self._index.search(look[None], min(CANDIDATES, len(self._owners)))
        return frozenset(self._owners[row] for row in rows[0] if row >= 0)
