"""The faces of whole pictures, for what hides them: found by the localiser, which is opened for the first picture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from archive.anonymise import Picture
from contracts.fields import Xyxy
from contracts.manifest import load_manifest
from stream.vision.faces import FaceLocaliser
from stream.vision.session import SessionOptions


class WholeFaces:
    """Threads may share it. A picture takes some 20 ms."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        self._lock = threading.Lock()
        self._localiser: FaceLocaliser | None = None

    def __call__(self, picture: Picture) -> Iterator[Xyxy]:
        """Where they are, px of the picture; raises ModelError."""
        with self._lock:
            if self._localiser is None:
                manifest = load_manifest(self._manifest)
                self._localiser = FaceLocaliser.open(manifest, self._manifest.parent, SessionOptions(device="cpu"))
        for face in self._localiser.everywhere(picture):
            yield face.xyxy
