"""What an explanation is asked and answers: the seam between the console and the process that runs the model."""

from __future__ import annotations

import msgspec

from archive.collection.items import Kind
from contracts.config import Learning, Models
from contracts.fields import Xyxy


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A box of the data set (pixels of its picture), what is said of it and by whom, and the cosine of both looks.

    `learnt` is whether the model is known to have been trained on the picture.
    """

    picture: str
    camera: str
    captured_at_ms: int
    xyxy: Xyxy
    label: str
    kind: Kind
    by: str
    likeness: float
    learnt: bool = False


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """The most alike first, one a picture, among the `looked_at` of `pictures` in the data set's newest `version`."""

    version: str
    pictures: int
    looked_at: int
    examples: tuple[Example, ...]


class Alike(msgspec.Struct, frozen=True, kw_only=True):
    """An example with its box, cut out, as a JPEG."""

    example: Example
    jpeg: bytes


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Where in this JPEG did the model see that box (pixels of the camera's picture of `width` x `height`)?

    `model` is its id. `manifest` is the file of the one that the config names ("" is the bundled one), `models` the
    registry for others. `learning` says where the data set lies (None: examples are not wanted), `state` is the folder
    that it may lie in.
    """

    jpeg: bytes
    width: int
    height: int
    label: str
    xyxy: Xyxy
    model: str
    manifest: str = ""
    models: Models = Models()
    learning: Learning | None = None
    state: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The JPEG with the heat over it, how sure the model is of that box, after how many runs; or why there is none.

    `alike` is what it looks most like in the data set, as far as that is known by now.
    """

    overlay: bytes = b""
    score: float = 0.0
    runs: int = 0
    alike: tuple[Alike, ...] = ()
    error: str = ""
