"""Inputs for tests of collections: answered evidence, models that see what they are told, and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from archive.collection.collect import Collector
from archive.collection.items import Box, Item
from archive.collection.seeing import Picture, Sight
from archive.collection.store import Collection
from archive.evidence import paths
from archive.evidence.answers import take
from archive.evidence.chain import Chain
from archive.evidence.files import Folder
from archive.evidence.privacy import Redact, as_sent
from archive.evidence.writer import EvidenceWriter, Written
from contracts.fields import Xyxy
from contracts.messages import Feedback, Frame, FrameRef
from contracts.metrics import Metrics
from tests.evidence_tools import AT_MS, KEY, alert, evidence, frame


class OneFrame:
    """A log that has one frame at every offset."""

    def __init__(self, sent: Frame) -> None:
        self._sent = sent

    def fetch(self, ref: FrameRef) -> Frame:
        return self._sent


class Told:
    """Models that see these boxes in every picture."""

    ids = ("m@1",)

    def __init__(self, *boxes: Box, agreement: float = 1.0) -> None:
        self.looks = 0
        self._sight = Sight(boxes, agreement)

    def __call__(self, picture: Picture) -> Sight:
        self.looks += 1
        return self._sight


class Answering:
    """A site's evidence folder, and a collection beside it."""

    def __init__(self, root: Path) -> None:
        self.evidence = Folder(root / "evidence")
        self.collection = Collection(Folder(root / "collection"))
        self.chain = Chain(self.evidence, KEY, lambda: AT_MS)

    def alert(self, id: str, verdict: Any = None, *, grey: int = 60, redact: Redact = as_sent, **changes: Any) -> None:
        """An alert about a person at (25, 25, 50, 75) of a picture of 160x90, and perhaps its answer."""
        writer = self.writer(OneFrame(frame(grey=grey, camera=changes.get("camera", "gate"))), redact)
        writer.write(alert(seen=evidence(7), id=id, **changes))
        if verdict is not None:
            self.answer(id, verdict=verdict, camera=changes.get("camera", "gate"))

    def missed(self, id: str, alert: str, xyxy: Xyxy, label: str = "dog", **changes: Any) -> Written | None:
        """What nobody had said: on an alert's frame, or, where `alert` is `id`, on a live picture."""
        seen = msgspec.structs.replace(changes.pop("evidence", evidence(7)), xyxy=xyxy)
        values = {"action": "missed", "alert": alert, "label": label, "evidence": seen} | changes
        said = answer_of(id, **values)
        if alert != id:
            take(self.chain, said)
            return None
        return self.writer(OneFrame(frame(grey=90))).write_missed(said)

    def answer(self, id: str, action: Any = "verdict", at_ms: int = AT_MS + 5, **changes: Any) -> None:
        """An operator's word."""
        take(self.chain, answer_of(f"{id}-{action}", alert=id, action=action, at_ms=at_ms, **changes))

    def writer(self, log: OneFrame, redact: Redact = as_sent) -> EvidenceWriter:
        """What keeps evidence out of a log."""
        measured = Metrics(CollectorRegistry())
        return EvidenceWriter(self.chain, log, measured, names={}, time_zone="UTC", redact=redact)

    def delete(self, id: str) -> None:
        """What retention does."""
        place = paths.place("home", AT_MS, "gate", id)
        self.chain.bury(place, "too old")
        for name in (paths.FRAME, paths.SNAPSHOT, paths.SEEN):
            self.evidence.delete(place.file(name))

    def collector(self, sees: Told, hidden: tuple[str, ...] = (), queue_most: int = 10) -> Collector:
        """A collector of it."""
        return Collector(self.collection, self.evidence, sees, hidden.__contains__, keep_days=30, queue_most=queue_most)


def answer_of(id: str, **changes: Any) -> Feedback:
    """An operator's word about an alert that began at AT_MS."""
    values: dict[str, Any] = {"site": "home", "camera": "gate", "revision": 1, "operator": "anna", "at_ms": AT_MS + 5}
    return Feedback(**(values | {"id": id, "started_at_ms": AT_MS} | changes))


def box(x: float = 100, kind: Any = "pseudo", confidence: float = 0.8, **changes: Any) -> Box:
    """A person 25 wide and 50 high at (x, 25)."""
    values: dict[str, Any] = {"xyxy": (float(x), 25.0, float(x + 25), 75.0), "label": "person", "kind": kind}
    return Box(**(values | {"confidence": confidence, "by": "m@1"} | changes))


def item(name: str = "a", at_ms: int = AT_MS, *boxes: Box, **changes: Any) -> Item:
    """A picture of the gate."""
    values: dict[str, Any] = {"sha256": name, "width": 160, "height": 90, "site": "home", "camera": "gate"}
    return Item(**(values | {"captured_at_ms": at_ms, "source": "alert", "boxes": boxes} | changes))
