"""Frames on the disk between log and encoder, so that a long clip needs no more memory than a short one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

from PIL import Image, UnidentifiedImageError

from contracts.codec import decode, encode
from contracts.messages import Frame

MAX_BYTES = 1024**3
"""Of frames that wait for their encoding; 60 s of 4K at 10 frames/s and quality 85 are less."""


class Shelf:
    """Frames in the order of their times, in a file that is the caller's."""

    def __init__(self, disk: IO[bytes]) -> None:
        self._disk = disk
        self._lengths: list[int] = []
        self._smallest: tuple[int, int] | None = None
        self.times_ms: list[int] = []

    def put(self, frame: Frame) -> None:
        """The next frame; one that isn't later than the last, or beyond what the shelf takes, is left out."""
        data = encode(frame)
        if self._disk.tell() + len(data) > MAX_BYTES or frame.captured_at_ms <= max(self.times_ms[-1:], default=-1):
            return
        self._disk.write(data)
        self._lengths.append(len(data))
        self.times_ms.append(frame.captured_at_ms)
        size = _size_of(frame.jpeg)
        if size is not None:
            self._smallest = min(self._smallest or size, size)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the smallest frame, in even numbers: the detect size, where some are full-size.

        None where no frame is a picture.
        """
        if self._smallest is None:
            return None
        width, height = self._smallest
        return max(width // 2 * 2, 2), max(height // 2 * 2, 2)

    def frames(self) -> Iterator[Frame]:
        """All of them, one at a time."""
        self._disk.seek(0)
        for length in self._lengths:
            yield decode(self._disk.read(length), Frame)


def _size_of(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height by the JPEG's header."""
    try:
        with Image.open(io.BytesIO(jpeg)) as opened:
            return opened.size
    except (OSError, UnidentifiedImageError):
        return None
