"""The writer: what lies in the folder after each revision, after faults, and after being cut off."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from archive.evidence import paths, writer
from archive.evidence.chain import Chain
from archive.evidence.chain_check import check_day
from archive.evidence.files import Folder
from archive.evidence.frames import FrameMissed, Reason
from archive.evidence.privacy import Redact, as_sent
from archive.evidence.writer import PICTURES, EvidenceWriter, Missed, Seen
from contracts import codec
from contracts.errors import ContractError
from contracts.identity import Identified
from contracts.messages import Alert, Condition, Evidence, Frame, FrameRef
from contracts.metrics import Metrics
from tests.builders import jpeg_of
from tests.evidence_tools import AT_MS, KEY, alert, evidence, frame

ALWAYS = {paths.ALERT, paths.DECISIONS, paths.MANIFEST}


class FakeFrames:
    """A log of frames by offset; a reason stands for a frame that is gone."""

    def __init__(self, frames: dict[int, Frame | Reason]) -> None:
        self.frames = frames
        self.fetched: list[int] = []

    def fetch(self, ref: FrameRef) -> Frame:
        self.fetched.append(ref.offset)
        found = self.frames[ref.offset]
        if isinstance(found, str):
            raise FrameMissed(found, "gone")
        return found


class Bench:
    """A writer over fake frames, and what it left behind."""

    def __init__(self, root: Path, frames: dict[int, Frame | Reason], redact: Redact = as_sent) -> None:
        self.root = root
        self.log = FakeFrames(frames)
        self.registry = CollectorRegistry()
        self.chain = Chain(Folder(root), KEY, lambda: AT_MS)
        self.writer = EvidenceWriter(
            self.chain,
            self.log,
            Metrics(self.registry),
            names={"gate": "Hoftor"},
            time_zone="Europe/Berlin",
            redact=redact,
        )
        self.place = paths.place_of(alert())
        self.folder = root / self.place.folder

    def write_all(self, alerts: list[Alert]) -> None:
        for one in alerts:
            self.writer.write(one)

    def names(self) -> set[str]:
        """What there is beside the alert itself, its decisions and its manifest, which are always there."""
        names = {path.name for path in self.folder.iterdir()}
        assert names >= ALWAYS
        return names - ALWAYS

    def faults(self) -> list[str]:
        return [
            f"{one.path} {one.what}" for one in check_day(Folder(self.root), self.place.day_folder, KEY.public).faults
        ]

    def seen(self) -> Seen:
        return msgspec.json.decode((self.folder / paths.SEEN).read_bytes(), type=Seen)

    def missed(self, reason: str) -> float | None:
        return self.registry.get_sample_value("vedette_evidence_missed_total", {"reason": reason})


def test_what_lies_in_the_folder(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame()})
    written = bench.writer.write(alert(seen=evidence(7)))
    assert written == (bench.place, True, "")
    assert bench.names() == {*PICTURES}
    assert (bench.folder / paths.FRAME).read_bytes() == frame().jpeg
    snapshot = cv2.imread(str(bench.folder / paths.SNAPSHOT))
    assert snapshot.shape[0] > 90
    assert snapshot.shape[1] == 160
    assert codec.decode((bench.folder / paths.ALERT).read_bytes(), Alert) == alert(seen=evidence(7))
    assert bench.seen() == Seen(
        alert="0e7a",
        revision=1,
        site="home",
        camera="gate",
        label="person",
        evidence=evidence(7),
        session=3,
        index=44,
        sha256=frame().sha256,
        model="m@1",
        rule="yard",
        rule_version=2,
        config_version="c1",
    )


@pytest.mark.parametrize(
    ("later", "replaced"),
    [
        (evidence(8, confidence=0.6), True),
        (evidence(8, confidence=0.4), False),
        (evidence(8, confidence=0.5), False),  # no better: the first stays
        (evidence(8, confidence=0.1, detail=True), True),  # the full-size frame shows more
        (None, False),
    ],
)
def test_better_evidence_replaces_the_pictures(tmp_path: Path, later: Evidence | None, replaced: bool) -> None:
    other = frame(AT_MS, index=45, sha256=hashlib.sha256(jpeg := jpeg_of(np.zeros((90, 160, 3), np.uint8))).hexdigest())
    other = msgspec.structs.replace(other, jpeg=jpeg)
    bench = Bench(tmp_path, {7: frame(), 8: other})
    bench.writer.write(alert(1, evidence(7)))
    before = (bench.folder / paths.SNAPSHOT).read_bytes()
    assert bench.writer.write(alert(2, later)).pictures == replaced
    assert ((bench.folder / paths.FRAME).read_bytes() == jpeg) == replaced
    assert ((bench.folder / paths.SNAPSHOT).read_bytes() != before) == replaced
    assert bench.seen().index == (45 if replaced else 44)
    assert codec.decode((bench.folder / paths.ALERT).read_bytes(), Alert).revision == 2


def test_small_evidence_does_not_replace_a_full_size_frame(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame(), 8: frame()})
    bench.writer.write(alert(1, evidence(7, detail=True)))
    assert not bench.writer.write(alert(2, evidence(8, confidence=0.99))).pictures


def test_a_repeated_or_older_revision_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame(), 8: frame()})
    for revision in (1, 2):
        bench.writer.write(alert(revision, evidence(7)))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in bench.folder.iterdir()}
    for revision in (2, 1):
        assert not bench.writer.write(alert(revision, evidence(8, confidence=1.0))).pictures
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in bench.folder.iterdir()} == before
    assert bench.log.fetched == [7]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("survives", range(16))
def test_cut_off_anywhere_it_ends_the_same(tmp_path: Path, survives: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two revisions are eight renames and links each; the process ends before any one of them."""
    other = msgspec.structs.replace(frame(), index=45)
    frames: dict[int, Frame | Reason] = {7: frame(), 8: other}
    revisions = [alert(1, evidence(7)), alert(2, evidence(8, confidence=0.9))]
    undisturbed = Bench(tmp_path / "undisturbed", frames)
    undisturbed.write_all(revisions)

    bench = Bench(tmp_path / "killed", frames)
    left = [survives]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*given)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying(Path.replace))
        patch.setattr(os, "link", dying(os.link))
        with pytest.raises(Killed):
            bench.write_all(revisions)
    again = Bench(tmp_path / "killed", frames)
    again.write_all(revisions)

    def files(of: Bench) -> dict[str, bytes]:
        # An entry whose manifest a kill prevented is followed by one more, so the manifests' numbers differ.
        return {path.name: path.read_bytes() for path in of.folder.iterdir() if path.name != paths.MANIFEST}

    assert files(again) == files(undisturbed)
    assert again.faults() == undisturbed.faults() == []


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ("retention", "retention"),
        ("timeout", "timeout"),
        (frame(camera="yard"), "other_frame"),
        (frame(site="away"), "other_frame"),
        (frame(AT_MS + 1), "other_frame"),  # the topic was made anew, another frame lies there
        (frame(sha256="0" * 64), "damaged"),
        (frame(jpeg=b"", sha256=hashlib.sha256(b"").hexdigest()), "undecodable"),
        (frame(jpeg=b"no picture", sha256=hashlib.sha256(b"no picture").hexdigest()), "undecodable"),
    ],
)
def test_a_frame_that_cannot_be_had_is_counted_and_noted(tmp_path: Path, found: Frame | Reason, reason: str) -> None:
    bench = Bench(tmp_path, {7: found, 8: frame()})
    assert bench.writer.write(alert(1, evidence(7))) == (bench.place, False, reason)
    assert bench.names() == {paths.MISSED}
    assert bench.missed(reason) == 1
    note = msgspec.json.decode((bench.folder / paths.MISSED).read_bytes(), type=Missed)
    assert (note.reason, note.revision, note.evidence) == (reason, 1, evidence(7))
    assert bench.writer.write(alert(2, evidence(8))).pictures, "an update may bring a frame that is there"
    assert bench.names() == {*PICTURES}


def test_pictures_stay_when_better_ones_are_missed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame(), 8: "retention"})
    bench.writer.write(alert(1, evidence(7)))
    assert bench.writer.write(alert(2, evidence(8, confidence=0.9))).missed == "retention"
    assert bench.names() == {*PICTURES, paths.MISSED}
    assert bench.seen().evidence == evidence(7)


def test_an_alert_without_evidence_has_no_pictures_and_misses_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {})
    assert bench.writer.write(alert(kind="camera_down")) == (bench.place, False, "")
    assert bench.names() == set()


def test_an_alert_file_that_cannot_be_read_is_written_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame()})
    bench.writer.write(alert(1, evidence(7)))
    for name in (paths.ALERT, paths.SEEN):
        (bench.folder / name).write_bytes(b"\xff{")
    assert bench.writer.write(alert(1, evidence(7))).pictures
    assert bench.seen().revision == 1
    assert bench.faults() == []


def test_every_revision_stays_with_its_trace(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame()})
    said = [alert(n, evidence(7), trace=(Condition("after_s", "3", str(n)),)) for n in (1, 2, 5)]
    bench.write_all(said)
    kept = msgspec.json.decode((bench.folder / paths.DECISIONS).read_bytes(), type=list[Alert])
    assert kept == said


def test_every_picture_passes_where_people_are_hidden(tmp_path: Path) -> None:
    def hide(picture: np.ndarray, of: Frame) -> np.ndarray:
        assert of.index == 44
        return np.zeros_like(picture)

    bench = Bench(tmp_path, {7: frame()}, hide)
    bench.writer.write(alert(1, evidence(7)))
    assert cv2.imread(str(bench.folder / paths.FRAME)).max() == 0
    assert cv2.imread(str(bench.folder / paths.SNAPSHOT))[:10, :10].max() < 30
    assert bench.seen().sha256 == frame().sha256, "the frame in the log stays the one that is meant"


def test_what_was_deleted_does_not_come_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame()})
    bench.writer.write(alert(1, evidence(7)))
    bench.chain.bury(bench.place, "too old")
    assert not bench.writer.write(alert(2, evidence(7))).pictures


def test_a_bad_name_writes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "evidence", {7: frame()})
    with pytest.raises(ContractError):
        bench.writer.write(alert(1, evidence(7), camera="../../outside"))
    assert not list(tmp_path.rglob("*.json"))


def test_the_caption_has_local_time_and_the_cameras_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions = []

    def drawn(picture: np.ndarray, _: Alert, caption: writer.Caption) -> np.ndarray:
        captions.append(caption)
        return picture

    monkeypatch.setattr(writer, "drawn", drawn)
    bench = Bench(tmp_path, {7: frame(AT_MS + 250)})
    bench.writer.write(alert(1, evidence(7, AT_MS + 250), late=True))
    local = dt.datetime(2026, 1, 5, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    assert captions == [
        ("yard · zone entry", "A person came in", f"{local:%a %d %b %Y} 01:00:00.2 CET", "Hoftor (home) · late")
    ]


def test_nothing_that_is_kept_names_an_enrolled_person_or_holds_their_face(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {7: frame()})
    before = Identified(decision="identified", person_id="p-1", name="Beatrix", group="banned", sealed=b"a look")
    bench.writer.write(alert(1, evidence(7), why="Beatrix (banned) seen", identity=before))
    told = codec.decode((bench.folder / paths.ALERT).read_bytes(), Alert)
    assert told.identity == replace(before, name="", sealed=b"")
    assert told.why == "person/p-1 (banned) seen"
    assert not any(b"Beatrix" in file.read_bytes() for file in bench.folder.iterdir())
    caption = bench.writer._caption(told, evidence(7))
    assert caption.why == "enrolled person (banned) seen"
