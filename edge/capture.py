"""The one seam to cameras and files: OpenCV's VideoCapture, with time-outs, and errors that hold no password."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np

from contracts.config import Input
from contracts.errors import CameraError
from edge.motion import Image
from edge.urls import redact


class Capture(Protocol):
    """An opened input. Its methods raise CameraError, and only one thread uses it."""

    fps: float
    frame_count: int
    codec: str

    def grab(self) -> bool:
        """Go to the next picture; False at the end, or when none came within the read time-out."""
        ...

    def position_ms(self) -> float:
        """Where the grabbed picture stands in the recording, by the container's timestamps."""
        ...

    def retrieve(self) -> Image:
        """Convert the grabbed picture to BGR (H, W, 3), an array of its own."""
        ...

    def close(self) -> None:
        """Let go of the input."""
        ...


OpenCapture = Callable[[Input, str], Capture]
"""Opens an input at the address with its secrets filled in; raises CameraError."""


class OpenCvCapture:
    """RTSP (over TCP, see __main__), HTTP/MJPEG and files by FFmpeg, /dev/videoN by V4L2."""

    def __init__(self, source: Input, url: str) -> None:
        """Open it: this blocks for `open_timeout_s` at most where FFmpeg keeps its promise."""
        self._name = redact(url)
        if is_device(url):
            self._capture = cv2.VideoCapture(url, cv2.CAP_V4L2)
        else:
            parameters = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(source.open_timeout_s * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(source.read_timeout_s * 1000),
                # Threads of the decoder hold a picture back each, and a camera has a thread of ours already.
                cv2.CAP_PROP_N_THREADS, 1,
            ]  # fmt: skip
            self._capture = cv2.VideoCapture(_address(url), cv2.CAP_FFMPEG, parameters)
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraError(f"{self._name} can't be opened")
        self.fps: float = self._capture.get(cv2.CAP_PROP_FPS) or 0.0
        self.frame_count = max(int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        self.codec = _code(int(self._capture.get(cv2.CAP_PROP_FOURCC)))

    def grab(self) -> bool:
        """See Capture."""
        try:
            return bool(self._capture.grab())
        except cv2.error as error:
            raise CameraError(f"{self._name} can't be read: {error.err}") from error

    def position_ms(self) -> float:
        """See Capture."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC))

    def retrieve(self) -> Image:
        """See Capture."""
        try:
            there, picture = self._capture.retrieve()
        except cv2.error as error:
            raise CameraError(f"a picture of {self._name} can't be decoded: {error.err}") from error
        if not there or picture is None or picture.size == 0:
            raise CameraError(f"a picture of {self._name} can't be decoded")
        return np.asarray(picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), dtype=np.uint8)

    def close(self) -> None:
        """See Capture."""
        self._capture.release()


def set_up_thread() -> None:
    """OpenCV's settings that every thread has for itself."""
    # By default OpenCV gives the same pixels on every machine. With up to one grey level between machines, resizing
    # 768x576 to 640x480 takes 0.23 ms instead of 0.49; on one machine it is always the same.
    cv2.ipp.setUseIPP_NotExact(True)


def is_file(url: str) -> bool:
    """Whether the address is a recording and no live source."""
    return not is_device(url) and ("://" not in url or url.startswith("file://"))


def is_device(url: str) -> bool:
    """Whether the address is a V4L2 device."""
    return url.startswith("/dev/video")


def _code(number: int) -> str:
    """The four characters that stand for a codec ("" where the input doesn't say)."""
    text = (number & 0xFFFFFFFF).to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")
    return text.lower() if text.isprintable() else ""


def _address(url: str) -> str:
    if not is_file(url):
        return url
    path = unquote(urlsplit(url).path) if url.startswith("file://") else url
    if not Path(path).is_file():
        raise CameraError(f"there is no file {path}")
    return path
