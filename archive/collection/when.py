"""When it is time to train a slot's model: after so many days or answers, or when a camera is no longer as it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from archive.collection.items import Item
from archive.collection.store import Collection
from contracts.config import Learning
from contracts.controls import slot_in_names
from contracts.day_parts import PARTS
from contracts.decoding import from_json
from contracts.drift import DriftReport
from contracts.fields import QUESTION, Count, Millis

DAY_MS = 86_400_000
LEARNT = "learnt"
DETECTOR = "detector"
"""The slot of detectors (see `contracts.controls.slot_of`)."""
LEAST_ANSWERS = 10
"""With fewer new answers of a camera its share of true alerts says nothing."""


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """One training that came to its end: of what is in which slot, on which version, what it gave and why it was time.

    `at_ms` is when its answers were collected. `doubts` are the pictures that a person should look at again, and why:
    it looked at what was said later than `since_ms`.
    """

    v: int = 1
    version: str
    at_ms: Millis
    answers: Count
    candidate: str
    passed: bool
    why: str
    doubts: dict[str, dict[str, float]] = {}
    since_ms: Millis = 0
    slot: str = DETECTOR


def trainings(collection: Collection) -> list[Learnt]:
    """All that came to their end, the oldest first."""
    found = [collection.files.read(path) for path in collection.files.paths(LEARNT)]
    known = [from_json(data, Learnt) for data in found if data is not None]
    return sorted(known, key=lambda one: one.at_ms)


def last_learnt(collection: Collection, slot: str = DETECTOR, candidate: str = "") -> Learnt | None:
    """The slot's newest training that came to its end, or the newest that gave this candidate."""
    fitting = [one for one in trainings(collection) if one.slot == slot and candidate in ("", one.candidate)]
    return fitting[-1] if fitting else None


def keep_learnt(collection: Collection, learnt: Learnt) -> None:
    """Say that a training came to its end."""
    name = f"{learnt.version}-{slot_in_names(learnt.slot)}"
    collection.files.write(f"{LEARNT}/{name}.json", msgspec.json.encode(learnt))


def due(
    before: Learnt | None,
    id: str,
    taught: Sequence[Item],
    config: Learning,
    now_ms: int,
    drifted: Sequence[str] = (),
) -> str:
    """Why it is time to train on the version `id`, of whose items `taught` teach something; "" while it isn't.

    `drifted` says of which cameras something is no longer as it was: a reason once there is an answer to learn from.
    """
    if not taught or (before is not None and before.version == id):
        return ""
    since_ms = before.at_ms if before is not None else 0
    new = [item for item in taught if item.answered_at_ms > since_ms]
    if len(new) >= config.after_answers:
        return f"{len(new)} new answers"
    for camera in sorted({item.camera for item in new}):
        was, now = (_precision(some, camera) for some in (set_apart(taught, since_ms), new))
        if was is not None and now is not None and was - now >= config.precision_drop:
            return f"alerts of {camera} were right in {was:.0%}, now in {now:.0%}"
    if drifted and new:
        return "; ".join(drifted)
    if before is not None and new and now_ms - since_ms >= config.every_days * DAY_MS:
        return f"{(now_ms - since_ms) / DAY_MS:.0f} days since the last training"
    return ""


def drifts(reports: Iterable[DriftReport], model: str, since_ms: int) -> list[str]:
    """What cameras' newest words under this model, later than that, say is no longer as it was, a sentence each."""
    return [
        sentence
        for one in sorted(reports, key=lambda one: (one.camera, one.part))
        if one.model == model and one.at_ms > since_ms
        for sentence in _drift(one)
    ]


def _drift(report: DriftReport) -> Iterator[str]:
    where = f"{report.camera}, {PARTS[report.part % len(PARTS)]}"
    for one in report.signals:
        if one.drifted and one.of == "confidence":
            yield f"{where}: confidence was {report.usual_confidence:.2f}, now is {report.confidence:.2f}"
        elif one.drifted:
            yield f"{where}: things look otherwise, {one.distance / max(one.usual, 1e-6):.1f} times as far as usual"


def teaches_detector(item: Item) -> bool:
    """Whether a detector would be trained on something of it: who denies an attribute alone teaches its classifier."""
    return item.complete or (bool(item.answer) and any(box.kind != "pseudo" for box in item.learnt))


def set_apart(items: Sequence[Item], since_ms: int) -> list[Item]:
    """Those that were answered by then."""
    return [item for item in items if item.answered_at_ms <= since_ms]


def _precision(items: Sequence[Item], camera: str) -> float | None:
    """The share of true among a camera's judged alerts; None for too few."""
    alerts = [item for item in items if item.camera == camera and item.rule != QUESTION]
    judged = [item.answer == "true" for item in alerts if item.answer in ("true", "false")]
    return sum(judged) / len(judged) if len(judged) >= LEAST_ANSWERS else None
