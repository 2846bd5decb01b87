"""Keeps the index of a large gallery in step with it: made anew beside the frames, when enough people have changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import numpy as np

from stream.identity import Gallery
from stream.identity.cohort import Vectors
from stream.identity.index import HOW_TO, LARGE, CodeIndex, Index

log = logging.getLogger(__name__)

MANY = 1000
"""People who came or changed since are compared one by one: with so many the index is made anew."""

Build = Callable[[Vectors, Sequence[str]], Index]


class GalleryIndex:
    """What is made in its own thread counts from the next `of` on. Threads may share it."""

    def __init__(self, ready: Callable[[], None], build: Build = CodeIndex, large: int = LARGE) -> None:
        """`ready` is called, by a thread of its own, when there is another index."""
        self._ready = ready
        self._build = build
        self._large = large
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._fresh: set[str] = set()
        self._since: set[str] = set()
        self._making = False
        self._missing = False

    def changed(self, person_id: str) -> None:
        """Somebody came, changed or went."""
        with self._lock:
            self._fresh.add(person_id)
            self._since.add(person_id)

    def of(self, gallery: Gallery) -> Gallery:
        """The gallery of all that has changed by now, with an index where it is large and there is one."""
        with self._lock:
            if len(gallery.vectors) <= self._large or self._missing:
                self._index = None
                return gallery
            if not self._making and (self._index is None or len(self._fresh) > MANY):
                self._making, self._since = True, set()
                threading.Thread(target=self._make, args=(gallery,), name="gallery index", daemon=True).start()
            return self._indexed(gallery)

    def again(self, gallery: Gallery) -> Gallery:
        """A gallery that may lack the last changes, with the index as it is by now."""
        with self._lock:
            return self._indexed(gallery)

    def _indexed(self, gallery: Gallery) -> Gallery:
        return gallery.indexed(self._index, frozenset(self._fresh)) if self._index is not None else gallery

    def _make(self, gallery: Gallery) -> None:
        ends = np.append(gallery.starts[1:], len(gallery.vectors))
        owners = np.repeat([person.id for person in gallery.people], ends - gallery.starts).tolist()
        index: Index | None = None
        try:
            index = self._build(gallery.vectors, owners)
        except ImportError:
            text = "%d pictures are enrolled, and each is compared with every face: %s makes that far cheaper"
            log.warning(text, len(owners), HOW_TO)
        except Exception:
            log.exception("%d pictures are enrolled, and each is compared with every face: no index", len(owners))
        with self._lock:
            self._making, self._missing = False, index is None
            self._index, self._fresh = index, self._since
        if index is not None:
            self._ready()
