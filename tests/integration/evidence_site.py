"""A site of its own on the broker for tests of the evidence process."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np

from archive.evidence import paths
from archive.evidence.chain_check import check_day
from archive.evidence.clip import ClipInfo
from archive.evidence.files import KEY_FILE, Files, Folder
from bus.admin import create_topics
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode, encode
from contracts.messages import Alert, DeadLetter, Evidence, EvidenceNote, Frame, FrameRef
from tests.builders import jpeg_of
from tests.kafka_tools import Writer
from vault.signing import signing_key

PICTURES = (paths.FRAME, paths.SNAPSHOT, paths.SEEN)

CONFIG = """
site: {name: SITE}
cameras:
  gate:
    friendly_name: Gate
    inputs: [{url: clip.mp4}]
evidence: {pre_s: 1, post_s: 1, clip_first_s: 4, clip_max_s: 8, EVIDENCE}
"""


class Site:
    """A site of its own on the broker, with its frames, alerts and evidence folder."""

    def __init__(self, bootstrap: str, folder: Path, evidence: str = "clips: true") -> None:
        self.name = f"ev-{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self.state = folder
        self.root = folder / "evidence"
        self.files: Files = Folder(self.root)
        self.config = folder / "vedette.yaml"
        self.config.write_text(CONFIG.replace("SITE", self.name).replace("EVIDENCE", evidence))
        create_topics(bootstrap, topics.specs(self.name, 1, keep_forever=True))
        self.now_ms = time.time_ns() // 1_000_000
        self.writer = Writer(bootstrap)

    def frame(
        self, number: int, size: tuple[int, int] = (90, 160), at_ms: int | None = None, camera: str = "gate"
    ) -> tuple[Frame, FrameRef]:
        """Put a picture of noise in the log; returns it and where it lies."""
        picture = np.random.default_rng(number).integers(0, 255, (*size, 3), np.uint8)
        jpeg = jpeg_of(picture)
        frame = Frame(
            site=self.name,
            camera=camera,
            session=1,
            index=number,
            captured_at_ms=self.now_ms + number if at_ms is None else at_ms,
            width=1280,
            height=720,
            detail=True,
            motion=0.5,
            sha256=hashlib.sha256(jpeg).hexdigest(),
            jpeg=jpeg,
        )
        topic = topics.frames(self.name)
        return frame, FrameRef(topic, *self.writer.put(topic, encode(frame), camera, frame.captured_at_ms))

    def alert(self, frame: Frame, ref: FrameRef, revision: int = 1, **changes: Any) -> Alert:
        """Put an alert about a frame in the log."""
        values: dict[str, Any] = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{frame.index}")),
            "revision": revision,
            "state": "new" if revision == 1 else "update",
            "site": self.name,
            "camera": "gate",
            "rule": "yard",
            "rule_version": 1,
            "kind": "zone_entry",
            "severity": "high",
            "started_at_ms": frame.captured_at_ms,
            "at_ms": frame.captured_at_ms + revision,
            "evidence": Evidence(
                ref=ref,
                captured_at_ms=frame.captured_at_ms,
                width=1280,
                height=720,
                xyxy=(100.0, 100.0, 300.0, 500.0),
                confidence=0.8,
                detail=True,
            ),
        }
        alert = Alert(**(values | changes))
        self.raw(encode(alert))
        return alert

    def raw(self, value: bytes) -> None:
        """Put anything on `alerts`."""
        self.writer.put(topics.ALERTS, value, "gate")

    def has(self, alert: Alert, *names: str) -> bool:
        """Whether the alert's evidence is exactly these files and its revision, beside its clip, if that is there."""
        place = paths.place_of(alert)
        kept = self.files.read(place.file(paths.ALERT))
        found = {path.rpartition("/")[2] for path in self.files.paths(place.folder)} - {paths.CLIP, paths.CLIP_INFO}
        if kept is None or found != {*names, paths.ALERT, paths.DECISIONS, paths.MANIFEST}:
            return False
        return decode(kept, Alert).revision == alert.revision

    def clip(self, alert: Alert) -> ClipInfo | None:
        """What the alert's clip shows, once it is there."""
        data = self.files.read(paths.place_of(alert).file(paths.CLIP_INFO))
        return msgspec.json.decode(data, type=ClipInfo) if data is not None else None

    def faults(self) -> list[str]:
        """What the chains of all days say."""
        key = signing_key({}, self.state / KEY_FILE).public
        days = [f"{self.name}/{day}" for day in self.files.folders(self.name) if paths.day_of(day)]
        return [f"{one.path} {one.what}" for day in days for one in check_day(self.files, day, key).faults]

    def notes(self) -> list[EvidenceNote]:
        """All notes on this site so far."""
        with Reader(self.bootstrap, topics.EVIDENCE) as reader:
            notes = [decode(record.value or b"", EvidenceNote) for record in reader.held()]
        return [one for one in notes if one.site == self.name]

    def letters(self) -> list[DeadLetter]:
        """All dead letters so far."""
        with Reader(self.bootstrap, topics.DEAD_LETTERS) as reader:
            return [decode(record.value or b"", DeadLetter) for record in reader.held()]

    @contextmanager
    def process(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """The evidence process, ended at the latest when the block is."""
        command = [sys.executable, "-W", "ignore", "-m", "archive.evidence", "--config", str(self.config)]
        arguments = [*command, "--bootstrap", self.bootstrap, "--state", str(self.state)]
        started = subprocess.Popen(arguments, env=os.environ | environment)
        try:
            yield started
        finally:
            if started.poll() is None:
                started.kill()
            started.wait()


def shown(site: Site, alert: Alert) -> list[int]:
    """When the pictures of the alert's clip are shown, ms after the first."""
    data = site.files.read(paths.place_of(alert).file(paths.CLIP))
    assert data is not None
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [round((one.pts or 0) * stream.time_base * 1000) for one in container.decode(stream)]
