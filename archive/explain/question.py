"""What an explanation is asked and answers: the seam between the console and the process that runs the model."""

from __future__ import annotations

import msgspec

from contracts.config import Models
from contracts.fields import Xyxy


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Where in this JPEG did the model see that box (pixels of the camera's picture of `width` x `height`)?

    `model` is its id. `manifest` is the file of the one that the config names ("" is the bundled one), `models` the
    registry for others.
    """

    jpeg: bytes
    width: int
    height: int
    label: str
    xyxy: Xyxy
    model: str
    manifest: str = ""
    models: Models = Models()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The JPEG with the heat over it, how sure the model is of that box, after how many runs; or why there is none."""

    overlay: bytes = b""
    score: float = 0.0
    runs: int = 0
    error: str = ""
