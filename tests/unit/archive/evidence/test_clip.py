"""Clips: their real times, their size, what they say where frames are missing, and when they are made."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from archive.evidence import paths
from archive.evidence.chain import Chain
from archive.evidence.chain_check import check_day
from archive.evidence.clip import Clip, ClipInfo, ClipMaker, window_of
from archive.evidence.clips import LATE_SETTLE_MS, SETTLE_MS, TRIES, Clips, said
from archive.evidence.draw import subtitle_height
from archive.evidence.files import Folder
from archive.evidence.footage import Roll, Wanted
from archive.evidence.frames import FrameMissed
from archive.evidence.privacy import as_sent
from bus.errors import BusError
from contracts import codec
from contracts.config import EvidenceStore
from contracts.messages import Alert, Frame
from contracts.metrics import Metrics
from tests.evidence_tools import AT_MS, KEY, alert, evidence, frame

CONFIG = EvidenceStore(pre_s=2, post_s=3, clip_first_s=20, clip_max_s=40)
ENDED = {"state": "end", "ended_at_ms": AT_MS + 4000}


class FakeFootage:
    """Frames, or an error instead of them; remembers what was wanted."""

    def __init__(self, *frames: Frame | Exception, cut: bool = False) -> None:
        self.frames = frames
        self.cut = cut
        self.wanted: list[Wanted] = []

    def roll(self, wanted: Wanted) -> Roll:
        self.wanted.append(wanted)
        return Roll(self.cut, self._some())

    def _some(self) -> Iterator[Frame]:
        for one in self.frames:
            if isinstance(one, Exception):
                raise one
            yield one


def maker(footage: FakeFootage, **changes: Any) -> ClipMaker:
    given = {"partitions": {"gate": 1}, "names": {"gate": "Hoftor"}, "time_zone": "UTC", "redact": as_sent}
    return ClipMaker(footage, CONFIG, **(given | changes))


def made(*frames: Frame | Exception, cut: bool = False, **changes: Any) -> Clip:
    return maker(FakeFootage(*frames, cut=cut)).make(alert(2, evidence(7), **(ENDED | changes)))


def played(mp4: bytes) -> tuple[list[int], list[float], tuple[int, int]]:
    """Times in ms, the brightness of the middle of each picture, and the size."""
    with av.open(io.BytesIO(mp4)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        pictures = [(one.pts, one.to_ndarray(format="gray")) for one in container.decode(stream)]
        assert stream.time_base is not None
        times = [round(pts * Fraction(stream.time_base) * 1000) for pts, _ in pictures if pts is not None]
        return times, [float(one[20:40, 20:40].mean()) for _, one in pictures], (stream.width, stream.height)


def test_pictures_stand_at_the_times_when_they_were_taken() -> None:
    gaps_ms = [0, 100, 203, 290, 4000, 4100, 9750]  # gated: nothing moved between
    clip = made(*(frame(AT_MS - 1500 + gap, grey=30 * n + 20, index=n) for n, gap in enumerate(gaps_ms)))
    assert clip.mp4 is not None
    times_ms, greys, size = played(clip.mp4)
    assert times_ms == gaps_ms
    assert np.allclose(greys, [30 * n + 20 for n in range(7)], atol=4)
    assert size == (clip.info.width, clip.info.height) == (160, 90 + subtitle_height(90))
    assert clip.info == ClipInfo(
        alert="0e7a",
        wanted_from_ms=AT_MS - 2000,
        wanted_until_ms=AT_MS + 7000,
        frames=7,
        seconds=9.75,
        from_ms=AT_MS - 1500,
        until_ms=AT_MS + 8250,
        longest_gap_ms=5650,
        width=160,
        height=90 + subtitle_height(90),
    )
    assert said(clip.info) == "gated: 7 frames over 9.8 s"


def test_it_plays_from_its_first_byte_and_says_what_it_is() -> None:
    clip = made(*(frame(AT_MS + 100 * n, index=n) for n in range(5)))
    assert clip.mp4 is not None
    assert clip.mp4.index(b"moov") < clip.mp4.index(b"mdat")
    with av.open(io.BytesIO(clip.mp4)) as container:
        assert container.metadata["title"] == "0e7a Hoftor gated: 5 frames over 0.4 s"


def test_the_same_frames_are_the_same_clip() -> None:
    frames = [frame(AT_MS + 100 * n, index=n) for n in range(5)]
    assert made(*frames) == made(*frames)


def test_full_size_frames_come_down_to_the_detect_size() -> None:
    clip = made(frame(AT_MS, size=(1281, 723), detail=True, index=0), frame(AT_MS + 100, size=(161, 91), index=1))
    assert clip.mp4 is not None
    assert played(clip.mp4)[2] == (160, 90 + subtitle_height(90))


def test_every_picture_passes_where_people_are_hidden() -> None:
    def hide(picture: Any, of: Frame) -> Any:
        return np.full_like(picture, of.index)

    footage = FakeFootage(*(frame(AT_MS + n, index=200) for n in range(3)))
    mp4 = maker(footage, redact=hide).make(alert(2, evidence(7), **ENDED)).mp4
    assert mp4 is not None
    assert np.allclose(played(mp4)[1], 200, atol=4)


BAD = frame(AT_MS + 50, sha256="0" * 64, index=1)


@pytest.mark.parametrize(
    ("frames", "cut", "reason"),
    [
        ((), False, "the camera sent no frame then"),
        ((), True, "the pictures of that time are deleted already"),
        ((BAD,), False, "none of 1 frames is a picture"),
        ((msgspec.structs.replace(BAD, jpeg=b"x"),), False, "none of 1 frames is a picture"),
        ((FrameMissed("retention", "deleted while it was read"),), False, "deleted while it was read"),
    ],
)
def test_without_frames_it_says_why(frames: tuple[Frame | Exception, ...], cut: bool, reason: str) -> None:
    clip = made(*frames, cut=cut)
    assert (clip.mp4, clip.info.frames, clip.info.reason) == (None, 0, reason)


def test_of_an_alert_without_a_frame_it_says_only_where_it_looked() -> None:
    info = maker(FakeFootage()).make(alert(2, **ENDED)).info
    assert info.reason.startswith("no frame of that time lies where the config puts the camera's")


def test_what_is_missing_of_a_clip_is_said() -> None:
    clip = made(frame(AT_MS), BAD, frame(AT_MS + 100, index=2), cut=True)
    assert (clip.info.frames, clip.info.unreadable, clip.info.cut) == (2, 1, True)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"seen": evidence(7)}, ("frames.home", 0)),
        ({}, ("frames.home", 1)),
        ({"late": True}, ("frames-late.home", 1)),
    ],
)
def test_frames_are_looked_for_where_the_cameras_are(changes: dict[str, Any], wanted: tuple[str, int]) -> None:
    footage = FakeFootage()
    maker(footage).make(alert(2, **(ENDED | changes)))
    assert [(one.topic, one.partition) for one in footage.wanted] == [wanted]


@pytest.mark.parametrize(
    ("changes", "window"),
    [
        ({}, (-2000, 18_000, True)),
        (ENDED, (-2000, 7000, False)),
        ({"state": "end", "at_ms": AT_MS + 1000}, (-2000, 4000, False)),
        ({"state": "end", "ended_at_ms": AT_MS + 30_000}, (-2000, 33_000, False)),
        ({"state": "end", "ended_at_ms": AT_MS + 60_000}, (-2000, 38_000, True)),
    ],
    ids=["goes on", "over", "over at once", "longer than a first clip", "longer than a clip"],
)
def test_the_time_that_a_clip_shows(changes: dict[str, Any], window: tuple[int, int, bool]) -> None:
    from_ms, until_ms, bounded = window_of(alert(2, **changes), CONFIG)
    assert (from_ms - AT_MS, until_ms - AT_MS, bounded) == window


class Bench:
    """Clips over a folder, with a clock that is moved by hand."""

    def __init__(self, root: Path, *frames: Frame | Exception) -> None:
        self.now_ms = AT_MS
        self.files = Folder(root)
        self.chain = Chain(self.files, KEY, lambda: self.now_ms)
        self.footage = FakeFootage(*frames)
        measured = Metrics(CollectorRegistry())
        self.clips = Clips(self.files, self.chain, maker(self.footage), CONFIG, measured, lambda: self.now_ms)
        self.place = paths.place_of(alert())

    def due_at_ms(self) -> int | None:
        """When a clip is due: looked for in steps of a second from now on."""
        for after_ms in range(0, 100_000, 1000):
            self.now_ms = AT_MS + after_ms
            if self.clips.due() is not None:
                return after_ms
        return None

    def work(self) -> str | None:
        """Make what is due, as the service does."""
        due = self.clips.due()
        assert due is not None
        note = self.clips.make(*due)
        if note is not None:
            self.clips.done(*due)
        return note.kind if note is not None else None

    def info(self) -> ClipInfo:
        """What is said of the clip, and nothing of the evidence is other than the chain says."""
        assert check_day(self.files, self.place.day_folder, KEY.public).faults == ()
        return msgspec.json.decode(self.files.read(self.place.file(paths.CLIP_INFO)) or b"", type=ClipInfo)

    def names(self) -> set[str]:
        return {path.rpartition("/")[2] for path in self.files.paths(self.place.folder)}


def test_a_clip_is_due_once_what_follows_the_alert_is_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.clips.expect(alert(1))
    assert bench.due_at_ms() == 18_000 + SETTLE_MS
    bench.clips.expect(alert(2, **ENDED))
    assert bench.due_at_ms() == 7000 + SETTLE_MS


def test_a_late_alerts_frames_are_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.now_ms = AT_MS + 3_600_000
    bench.clips.expect(alert(2, late=True, **ENDED))
    assert bench.clips.due() is None
    bench.now_ms += LATE_SETTLE_MS
    assert bench.clips.due() is not None


def test_a_clip_is_made_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, frame(AT_MS))
    bench.clips.expect(alert(2, **ENDED))
    bench.now_ms = AT_MS + 60_000
    assert bench.work() == "clip"
    assert bench.names() == {paths.CLIP, paths.CLIP_INFO, paths.MANIFEST}
    assert bench.files.paths("home/_pending") == []
    bench.clips.expect(alert(3, **ENDED))
    assert bench.clips.due() is None


EARLY = tuple(frame(AT_MS + 5000 * n, index=n) for n in range(4))
LATER = tuple(frame(AT_MS + 5000 * n, index=n) for n in range(4, 7))
LONG = {"state": "end", "ended_at_ms": AT_MS + 30_000}
GONE = "the pictures of that time are deleted already"


def first_clip(root: Path, *frames: Frame) -> Bench:
    """A clip that was made while its alert went on."""
    bench = Bench(root, *frames)
    bench.clips.expect(alert(1))
    bench.now_ms = AT_MS + 30_000
    assert bench.work() == ("clip" if frames else "no_clip")
    assert bench.info().going_on
    bench.clips.expect(alert(2))
    assert bench.clips.due() is None
    return bench


@pytest.mark.parametrize(
    ("before", "at_end", "frames", "stays"),
    [
        (EARLY, (*EARLY, *LATER), 7, ""),
        (EARLY, (*EARLY[1:], *LATER), 4, GONE),
        (EARLY, (), 4, GONE),
        (EARLY, (FrameMissed("retention", "deleted while it was read"),), 4, "deleted while it was read"),
        ((), LATER, 3, ""),
    ],
    ids=["all is there", "the beginning is gone", "all is gone", "gone while it is read", "there was none"],
)
def test_with_the_alerts_end_a_clip_is_made_anew_where_nothing_of_it_is_lost(
    tmp_path: Path, before: tuple[Frame, ...], at_end: tuple[Frame | Exception, ...], frames: int, stays: str
) -> None:
    bench = first_clip(tmp_path, *before)
    bench.footage.frames, bench.footage.cut = at_end, len(at_end) < 7
    bench.clips.expect(alert(3, **LONG))
    bench.now_ms = AT_MS + 60_000
    assert bench.work() == "clip"
    info = bench.info()
    assert (info.frames, info.stays, info.going_on) == (frames, stays, False)
    assert len(played(bench.files.read(bench.place.file(paths.CLIP)) or b"")[0]) == frames
    assert (f"not made anew when the alert ended: {stays}" in said(info)) == bool(stays)
    bench.clips.expect(alert(4, **LONG))
    assert bench.clips.due() is None
    assert bench.files.paths("home/_pending") == []


def test_an_end_before_that_of_the_first_clip_loses_nothing(tmp_path: Path) -> None:
    bench = first_clip(tmp_path, *EARLY)
    bench.footage.frames = ()
    bench.clips.expect(alert(3, **ENDED))
    assert bench.work() == "clip"
    assert (bench.info().frames, bench.info().stays, bench.info().going_on) == (4, "", False)


def test_an_alert_that_ends_while_its_first_clip_is_made_is_made_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path, *EARLY)
    bench.clips.expect(alert(1))
    bench.now_ms = AT_MS + 60_000
    due = bench.clips.due()
    assert due is not None
    bench.clips.make(*due)
    bench.clips.expect(alert(2, **LONG))
    bench.clips.done(*due)
    assert bench.files.paths("home/_pending") != []
    bench.footage.frames = (*EARLY, *LATER)
    assert bench.work() == "clip"
    assert bench.info().frames == 7
    assert bench.files.paths("home/_pending") == []


def test_a_kill_between_a_clip_made_anew_and_its_entry_makes_it_again(tmp_path: Path) -> None:
    before = first_clip(tmp_path, *EARLY)
    before.clips.expect(alert(3, **LONG))
    kept(before, alert(3, **LONG))
    before.files.write(before.place.file(paths.CLIP), b"the film that the entry doesn't know yet")
    bench = Bench(tmp_path, *EARLY, *LATER)
    bench.now_ms = AT_MS + 60_000
    bench.clips.load()
    assert bench.work() == "clip"
    assert (bench.info().frames, bench.info().stays) == (7, "")


def test_no_clip_is_final_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.clips.expect(alert(2, **ENDED))
    bench.now_ms = AT_MS + 60_000
    assert bench.work() == "no_clip"
    assert bench.names() == {paths.CLIP_INFO, paths.MANIFEST}


def test_while_the_broker_is_away_it_waits_and_at_last_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, BusError("away"))
    bench.clips.expect(alert(2, **ENDED))
    done = []
    for _ in range(TRIES + 1):
        bench.now_ms += 60_000
        done.append(bench.work())
    assert done == [None] * TRIES + ["no_clip"]
    assert bench.info().reason == "the log can't be read: away"


def kept(bench: Bench, one: Alert) -> None:
    bench.chain.keep(bench.place, {paths.ALERT: codec.encode(one)}, "revision")


@pytest.mark.parametrize("survived", ["expected", "kept", "clip made"])
def test_after_a_kill_it_goes_on(tmp_path: Path, survived: str) -> None:
    before = Bench(tmp_path, frame(AT_MS))
    before.clips.expect(alert(2, **ENDED))
    if survived != "expected":
        kept(before, alert(2, **ENDED))
    before.now_ms = AT_MS + 60_000
    if survived == "clip made":
        due = before.clips.due()
        assert due is not None
        before.clips.make(*due)

    bench = Bench(tmp_path, frame(AT_MS))
    bench.now_ms = AT_MS + 60_000
    bench.clips.load()
    if survived == "expected":  # its offset was not committed: it comes again
        assert bench.clips.due() is None
        bench.clips.expect(alert(2, **ENDED))
    assert bench.work() == "clip"
    assert bench.clips.due() is None
    assert bench.files.paths("home/_pending") == []
    assert bench.names() >= {paths.CLIP, paths.CLIP_INFO}
