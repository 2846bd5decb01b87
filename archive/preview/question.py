"""What a preview is asked and what it answers: the seam between the console and the process that runs the rules."""

from __future__ import annotations

import msgspec

from contracts.config import Config, Rule
from contracts.fields import Millis
from contracts.messages import FrameRef
from contracts.suppressions import Suppression


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """How often would these rules have fired over the tracks since then, on these cameras of the config?"""

    bootstrap: str
    config: Config
    rules: dict[str, Rule]
    cameras: tuple[str, ...]
    since_ms: Millis
    suppressions: dict[str, tuple[Suppression, ...]] = {}
    """By camera: what operators' answers silence now."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that there would have been, with the id that it would have had, and the frame that shows it best."""

    alert: str
    camera: str
    at_ms: int
    label: str
    why: str
    ref: FrameRef | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """When a rule would have alerted: `count` times, of which `moments` are the last; `silenced` times it would not."""

    count: int = 0
    silenced: int = 0
    moments: tuple[Moment, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The previews by rule; the frames that were read, of what time; whether only some were looked at; or an error."""

    rules: dict[str, Preview] = {}
    frames: int = 0
    since_ms: int = 0
    until_ms: int = 0
    thinned: bool = False
    error: str = ""
