"""The evidence process with a real broker: pictures for alerts, whatever is thrown at it or killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from archive.evidence import paths
from archive.evidence.answers import Answered
from bus.settings import Aside, settings
from contracts import topics
from contracts.codec import encode
from contracts.messages import Alert, Feedback, Frame, FrameRef, FrameTracks, TrackedObject
from tests.integration.evidence_site import PICTURES, Site, shown
from tests.waiting import wait_until
from vedette.broker import Broker, BrokerConfig

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this file's own, as one of the tests stops it."""
    with Broker(BrokerConfig(tmp_path_factory.mktemp("broker"), heap_mb=256)) as started:
        yield started


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Site:
    return Site(broker.bootstrap, tmp_path)


def ended_in_s(process: subprocess.Popen[bytes]) -> float:
    """Send SIGTERM; returns how long the end took."""
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    return time.monotonic() - start


def test_good_alerts_get_pictures_and_the_rest_is_accounted_for(site: Site) -> None:
    gone_frame, gone_ref = site.frame(0)
    first, first_ref = site.frame(1)
    large, large_ref = site.frame(2, (1080, 1920))  # 2.6 MB: more than Kafka's own 1 MB
    admin = AdminClient(settings(site.bootstrap, Aside()))
    (deleted,) = admin.delete_records([TopicPartition(gone_ref.topic, 0, 1)]).values()
    deleted.result(10)

    gone = site.alert(gone_frame, gone_ref)
    bad = os.urandom(100)
    site.raw(bad)
    good = site.alert(first, first_ref)
    outside = encode(good).replace(b'"camera":"gate"', b'"camera":"../../../x"')
    site.raw(outside)
    not_yet = site.alert(large, FrameRef(large_ref.topic, 0, 999))
    other = site.alert(large, first_ref, id="other")
    wide = site.alert(large, large_ref, id="wide")
    with site.process() as process:
        wait_until(lambda: site.has(wide, *PICTURES))
        assert site.has(good, *PICTURES)
        for missed in (gone, not_yet, other):
            assert site.has(missed, paths.MISSED)
        assert ended_in_s(process) < 3
        assert process.returncode == 0
    folder = site.root / paths.place_of(good).folder
    assert (folder / paths.FRAME).read_bytes() == first.jpeg
    assert cv2.imread(str(folder / paths.SNAPSHOT)).shape[1] == 160
    reasons = [
        re.search(rb'"reason": "(\w+)"', site.files.read(paths.place_of(a).file(paths.MISSED)) or b"")
        for a in (gone, not_yet, other)
    ]
    assert [found and found[1] for found in reasons] == [b"retention", b"no_frame", b"other_frame"]
    letters = {letter.payload: letter.reason for letter in site.letters() if letter.source == "evidence"}
    assert letters[bad].startswith("no Alert")
    assert "camera" in letters[outside]
    assert not list(site.state.parent.rglob("x/*"))


def test_an_update_comes_to_the_folder_of_its_alert(site: Site) -> None:
    frame, ref = site.frame(1)
    with site.process() as process:
        first = site.alert(frame, ref)
        wait_until(lambda: site.has(first, *PICTURES))
        ended = site.alert(frame, ref, revision=2, state="end", end_reason="left")
        wait_until(lambda: site.has(ended, *PICTURES))
        assert ended_in_s(process) < 3


def test_killed_in_the_middle_it_goes_on_and_nothing_is_missing(site: Site) -> None:
    frames = [site.frame(number) for number in range(150)]
    alerts = [site.alert(*one) for one in frames]
    for share in (0.2, 0.6):
        with site.process() as process:
            wait_until(lambda share=share: len(list(site.root.rglob(paths.ALERT))) > share * len(alerts))
            process.kill()
    with site.process() as process:
        wait_until(lambda: all(site.has(alert, *PICTURES) for alert in alerts))
        assert ended_in_s(process) < 3
    for (frame, _), alert in zip(frames, alerts, strict=True):
        assert site.files.read(paths.place_of(alert).file(paths.FRAME)) == frame.jpeg
    assert site.faults() == []


def test_a_clip_follows_the_alert_and_holds_up_no_picture(site: Site) -> None:
    """The alert is over 12 s ago; its frames are gated, sent twice by the agent, and another camera's lie between."""
    began_ms = site.now_ms - 15_000
    times_ms = [began_ms + after for after in (-3000, -900, -800, -450, 0, 1700, 1750, 2900, 4000, 5100)]
    sent = []
    for number, at_ms in enumerate(times_ms):
        sent.append(site.frame(number, at_ms=at_ms))
        site.frame(number, at_ms=at_ms)
        site.frame(number, at_ms=at_ms, camera="yard")
    over = {"state": "end", "started_at_ms": began_ms, "ended_at_ms": began_ms + 3000}
    alert = site.alert(*sent[4], revision=2, **over)
    with site.process() as process:
        wait_until(lambda: site.clip(alert) is not None)
        later = site.alert(*site.frame(99, at_ms=site.now_ms + 600_000))  # so its own clip is not due
        wait_until(lambda: site.has(later, *PICTURES), 2)
        wait_until(lambda: bool(site.notes()))
        assert ended_in_s(process) < 3
    info = site.clip(alert)
    assert info is not None
    assert (info.frames, info.seconds, info.longest_gap_ms) == (8, 4.9, 1700)
    assert shown(site, alert) == [at_ms - times_ms[1] for at_ms in times_ms[1:9]]
    assert [(one.alert, one.kind, one.why) for one in site.notes()] == [
        (alert.id, "clip", "gated: 8 frames over 4.9 s")
    ]
    assert site.clip(later) is None
    assert site.files.paths(f"{site.name}/{paths.PENDING}") == [paths.place_of(later).pending]
    assert site.faults() == []


def test_killed_while_it_makes_clips_none_is_missing_or_half_written(site: Site) -> None:
    began_ms = site.now_ms - 20_000
    frames = [site.frame(number, (360, 480), began_ms + 100 * number) for number in range(60)]
    over = {"state": "end", "started_at_ms": began_ms + 1000, "ended_at_ms": began_ms + 4000, "revision": 2}
    alerts = [site.alert(*frames[30], id=f"alert-{number}", **over) for number in range(12)]
    kill_and_finish(site, alerts)
    assert {len(shown(site, one)) for one in alerts} == {51}
    assert site.faults() == []
    assert {one.alert for one in site.notes()} == {one.id for one in alerts}


def kill_and_finish(site: Site, alerts: list[Alert]) -> None:
    """Kill the process while it makes the clips of alerts that are over, three times, then let it come to the end."""

    def made() -> int:
        return sum(info is not None and not info.going_on for info in map(site.clip, alerts))

    for wanted in (1, 4, 7):
        with site.process() as process:
            wait_until(lambda wanted=wanted: made() >= wanted)
            process.kill()
    with site.process() as process:
        wait_until(lambda: made() == len(alerts))
        wait_until(lambda: not site.files.paths(f"{site.name}/{paths.PENDING}"))
        assert ended_in_s(process) < 3


def test_an_alert_that_ends_after_its_clip_gets_all_of_it_whatever_is_killed(site: Site) -> None:
    began_ms = site.now_ms - 20_000
    frames = [site.frame(number, (360, 480), began_ms + 100 * number) for number in range(80)]
    common = {"started_at_ms": began_ms + 1000}
    first = [site.alert(*frames[30], id=f"alert-{number}", **common) for number in range(12)]
    with site.process() as process:
        wait_until(lambda: all(site.clip(one) is not None for one in first))
        assert ended_in_s(process) < 3
    assert {len(shown(site, one)) for one in first} == {41}
    over = {"state": "end", "ended_at_ms": began_ms + 6000, "revision": 2}
    kill_and_finish(site, [site.alert(*frames[30], id=one.id, **common, **over) for one in first])
    assert {len(shown(site, one)) for one in first} == {71}
    assert site.faults() == []


def test_a_clip_stays_where_its_frames_are_gone_when_the_alert_ends(site: Site) -> None:
    began_ms = site.now_ms - 20_000
    frame, ref = site.frame(0, at_ms=began_ms)
    site.frame(1, at_ms=began_ms + 2000)
    alert = site.alert(frame, ref)
    with site.process():
        wait_until(lambda: site.clip(alert) is not None)
        admin = AdminClient(settings(site.bootstrap, Aside()))
        (deleted,) = admin.delete_records([TopicPartition(ref.topic, 0, 1)]).values()
        deleted.result(10)
        site.alert(frame, ref, 2, state="end", ended_at_ms=began_ms + 5000)
        wait_until(lambda: (info := site.clip(alert)) is not None and not info.going_on and site.faults() == [])
    info = site.clip(alert)
    assert info is not None
    assert (info.frames, info.stays) == (2, "the pictures of that time are deleted already")
    assert len(shown(site, alert)) == 2


def test_a_clip_of_frames_that_are_gone_says_so(site: Site) -> None:
    began_ms = site.now_ms - 20_000
    frame, ref = site.frame(0, at_ms=began_ms)
    site.frame(1, at_ms=began_ms + 9000)
    admin = AdminClient(settings(site.bootstrap, Aside()))
    (deleted,) = admin.delete_records([TopicPartition(ref.topic, 0, 1)]).values()
    deleted.result(10)
    alert = site.alert(frame, ref, state="end", ended_at_ms=began_ms + 1000)
    with site.process():
        wait_until(lambda: site.clip(alert) is not None)
    info = site.clip(alert)
    assert info is not None
    assert (info.frames, info.reason) == (0, "the pictures of that time are deleted already")


def test_a_verdict_and_a_hold_reach_the_evidence(site: Site) -> None:
    frame, ref = site.frame(1)
    alert = site.alert(frame, ref)
    common = {"site": site.name, "camera": "gate", "alert": alert.id, "revision": 1, "operator": "anna"}
    for answer, changes in (("verdict", {"verdict": "false"}), ("hold", {"case": "2026-17"})):
        at_ms = site.now_ms
        said = Feedback(id=answer, action=answer, at_ms=at_ms, started_at_ms=alert.started_at_ms, **common, **changes)
        site.writer.put(topics.FEEDBACK, encode(said), alert.id)
    path = paths.place_of(alert).file(paths.ANSWERS)
    with site.process():
        wait_until(lambda: b"2026-17" in (site.files.read(path) or b"") and site.faults() == [])
    known = msgspec.json.decode(site.files.read(path) or b"", type=Answered)
    assert (known.verdict, list(known.holds)) == ("false", ["2026-17"])


def test_it_ends_and_it_waits_while_the_broker_is_away(broker: Broker, site: Site) -> None:
    frame, ref = site.frame(1)
    with site.process() as process:
        first = site.alert(frame, ref)
        wait_until(lambda: site.has(first, *PICTURES))
        broker.stop()
        try:
            time.sleep(2)
            assert process.poll() is None
            with site.process() as other:
                time.sleep(2)
                assert other.poll() is None
                assert ended_in_s(other) < 3
        finally:
            broker.start()
        later = site.alert(*site.frame(2))
        wait_until(lambda: site.has(later, *PICTURES))
        broker.stop()
        try:
            assert ended_in_s(process) < 3
        finally:
            broker.start()


def test_a_wrong_config_ends_with_code_2_and_its_path(tmp_path: Path) -> None:
    config = tmp_path / "vedette.yaml"
    config.write_text("cameras: {gate: {inputs: []}}")
    command = [sys.executable, "-W", "ignore", "-m", "archive.evidence", "--bootstrap", "127.0.0.1:1"]
    done = subprocess.run(
        [*command, "--config", str(config), "--state", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("cameras.gate.inputs: ")


def test_a_camera_that_anonymises_keeps_no_head(site: Site) -> None:
    """Where the frame's tracks are known the heads are hidden, where they aren't all of it; and so in its clip."""
    site.config.write_text(site.config.read_text().replace("friendly_name: Gate", "faces: {anonymise: true}"))
    (known, known_ref), (unknown, unknown_ref) = site.frame(1, (720, 1280)), site.frame(2, (720, 1280))
    person = TrackedObject(
        track_id=1, xyxy=(600, 100, 700, 500), confidence=0.9, label="person", first_seen_at_ms=known.captured_at_ms
    )
    site.writer.put(topics.TRACKS, encode(tracks_of(known, known_ref, person)), "gate")
    first, second = site.alert(known, known_ref), site.alert(unknown, unknown_ref)
    with site.process() as process:
        wait_until(lambda: site.has(first, *PICTURES) and site.has(second, *PICTURES))
        assert ended_in_s(process) < 4
    sent, kept, whole = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)
        for data in (known.jpeg, *(site.files.read(paths.place_of(one).file(paths.FRAME)) for one in (first, second)))
    )
    changed = np.abs(kept - sent).mean(axis=2)
    assert changed[90:230, 580:720].mean() > 30
    assert changed[300:, :].mean() < 12  # what another JPEG loses
    assert whole.std() < sent.std() / 5
    snapshot = cv2.imread(str(site.root / paths.place_of(first).folder / paths.SNAPSHOT)).astype(int)
    assert np.abs(snapshot[90:230, 620:680] - sent[90:230, 620:680]).mean() > 30


def tracks_of(frame: Frame, ref: FrameRef, *objects: TrackedObject) -> FrameTracks:
    return FrameTracks(
        site=frame.site,
        camera=frame.camera,
        lane="live",
        session=frame.session,
        index=frame.index,
        captured_at_ms=frame.captured_at_ms,
        interval_ms=0,
        width=frame.width,
        height=frame.height,
        ref=ref,
        model="m@1",
        tracks=objects,
    )
