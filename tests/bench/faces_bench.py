"""What faces cost in the detect job, how changes of the gallery count in a running stream, and whom they disturb.

    python -m tests.bench faces [--shared DIR]

Costs are CPU times of one thread. The stream is the real broker and the real jobs with the tests' tiny detector and the
bundled face models: what is measured is what the gallery does, not what a detector costs.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import numpy as np
from prometheus_client import CollectorRegistry

from bus.consuming import Record
from bus.follower import Follower
from contracts import topics
from contracts.codec import decode
from contracts.face_models import BUNDLED as MODELS
from contracts.manifest import load_manifest
from contracts.messages import Detection, Frame, FrameTracks
from contracts.metrics import Metrics
from stream.jobs.clock import now_ms
from stream.jobs.looks import FaceLooks
from stream.vision import Detector, SessionOptions
from stream.vision.faces import FaceConfig, FaceEmbedder, FaceLocaliser, FaceLooker
from tests.bench.report import Row, at_most, missing
from tests.bench.vision_bench import detector_of, milliseconds
from tests.builders import drawn_face, jpeg_of
from tests.face_tools import Vector, day_keys, seen
from tests.jobs.face_world import FacesUnderTest, config, enrolment_vector, with_face
from tests.jobs.world import T0_MS, SiteUnderTest
from vedette.local import BUNDLED

FACES = 8
FULL, SMALL = (1920, 1080), (854, 480)
FPS, DETAIL_FPS = 10, 2
ROUNDS = 12
PEOPLE = 10_000
FLOODS = 4
CALM_S, FLOOD_S = 28.0, 7.0
ROUNDS_OF_CHANGE = 5
PATIENCE_S = 30.0
WARM_UP_S = 15.0
"""The JVM compiles what is hot in its first hundreds of frames."""

Say = Callable[[str], None]


def cost(say: Say) -> Row:
    """One second of a camera: detection of all its frames, and the faces of those of full size."""
    picture, people = crowd()
    full, small = jpeg_of(picture, 85), jpeg_of(cv2.resize(picture, SMALL), 85)
    detector = Detector(*detector_of(load_manifest(BUNDLED), BUNDLED.parent))
    looks = FaceLooks(_looker(), day_keys(T0_MS), Metrics(CollectorRegistry()))
    frame = msgspec.structs.replace(with_face("gate", 0), jpeg=full, width=FULL[0], height=FULL[1])
    by_turns = f"{FaceConfig().most} looked at in a frame"
    what = f"{FACES} faces in 1080p at {FPS} frames/s, detail_fps {DETAIL_FPS}, {by_turns}, on top of detection"
    times = [frame.captured_at_ms + 500 * turn for turn in range(4)]
    looked = [looks.at(msgspec.structs.replace(frame, captured_at_ms=at_ms), people) for at_ms in times]
    found = sum(any(one[place].looks for one in looked) for place in range(FACES))
    if found != FACES:
        return missing("faces", what, f"{found} of {FACES} drawn faces were found within 2 s", "<= 0.6")

    def detection() -> None:
        for _ in range(FPS - DETAIL_FPS):
            detector.detect(small, *FULL)
        for _ in range(DETAIL_FPS):
            detector.detect(full, *FULL, detail=True)

    def faces() -> None:
        for _ in range(DETAIL_FPS):
            looks.at(frame, people)

    turns = [(milliseconds(faces), milliseconds(detection)) for _ in range(ROUNDS)][2:]
    say(f"  a second: faces {turns[0][0]:.0f} ms, detection {turns[0][1]:.0f} ms of CPU")
    return at_most("faces", what, statistics.median(f / d for f, d in turns), 0.6)


def crowd() -> tuple[np.ndarray, tuple[Detection, ...]]:
    """A 1080p picture of noise with eight people, and their boxes."""
    noise = np.random.default_rng(5).integers(90, 150, (FULL[1] // 8, FULL[0] // 8, 3), np.uint8)
    picture = cv2.resize(noise, FULL, interpolation=cv2.INTER_CUBIC)
    people = []
    for number in range(FACES):
        x = 130 + 230 * number
        picture = drawn_face(picture, (x, 300), 100)
        people.append(Detection(xyxy=(x - 100.0, 230.0, x + 100.0, 800.0), confidence=0.9, label="person"))
    return picture, tuple(people)


def stream(say: Say) -> list[Row]:
    """The gallery changes while frames flow at 10 a second."""
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as folder, SiteUnderTest(Path(folder), config()) as site:
        world = FacesUnderTest(site, now_ms())
        flow = Flow(site, world)
        flow.begin()
        rows = [*_flooded(world, flow, say), *_changed(world, flow, say)]
        flow.end()
        lost = flow.sent - len(flow.seen)
        return [*rows, at_most("faces", f"frames lost of {flow.sent} while the gallery changed", lost, 0, digits=0)]


class Flow:
    """Somebody stands before the camera: a frame every 0.1 s, and what the jobs say of it, when it comes."""

    def __init__(self, site: SiteUnderTest, world: FacesUnderTest) -> None:
        self.sent = 0
        self.seen: dict[int, tuple[int, int, str]] = {}  # by index: captured, came, who
        self._site, self._world = site, world
        self._stopped = threading.Event()
        self._follower = Follower(site.system.bootstrap, topics.TRACKS, self._take)
        self._follower.begin()
        self._sender = threading.Thread(target=self._send, daemon=True)

    def begin(self) -> None:
        """Returns once the jobs keep up: what was sent before they ran would be late for long."""
        self._site.send([self._frame(0)])
        self.sent = 1
        self.until("the first tracks", lambda: bool(self.seen))
        self._sender.start()
        time.sleep(WARM_UP_S)

    def until(self, what: str, true: Callable[[], bool], timeout_s: float = 240.0) -> None:
        """Look after the system until it is so; fails with the jobs' log."""
        self._site.wait(what, true, timeout_s)

    def latencies_ms(self, since_ms: int, until_ms: int) -> list[int]:
        """From shutter to tracks, of the frames that were captured between these times."""
        return [came - captured for captured, came, _ in self.seen.values() if since_ms <= captured < until_ms]

    def last_so(self, who: str, since_ms: int) -> int:
        """When the last frame was captured, after that time, in which somebody was said to be there."""
        return max(
            (captured for captured, _, said in self.seen.values() if said == who and captured >= since_ms),
            default=since_ms,
        )

    def end(self) -> None:
        """No more frames; those that are under way arrive."""
        self._stopped.set()
        self._sender.join()
        self.until("the last tracks", lambda: len(self.seen) >= self.sent, PATIENCE_S)
        self._follower.stop()

    def _send(self) -> None:
        beginning_s = time.monotonic() - 1 / FPS
        while not self._stopped.is_set():
            self._site.send([self._frame(self.sent)])
            self.sent += 1
            time.sleep(max(0.0, beginning_s + self.sent / FPS - time.monotonic()))

    def _frame(self, index: int) -> Frame:
        return msgspec.structs.replace(with_face("gate", index), captured_at_ms=now_ms())

    def _take(self, record: Record) -> None:
        tracks, came_ms = decode(record.value or b"", FrameTracks), now_ms()
        who = next((t.identity.person_id for t in tracks.tracks if t.identity is not None), "")
        self.seen.setdefault(tracks.index, (tracks.captured_at_ms, came_ms, who))


def _flooded(world: FacesUnderTest, flow: Flow, say: Say) -> list[Row]:
    vectors = [_other(number) for number in range(PEOPLE)]
    people = [(f"p{number}", [vector]) for number, vector in enumerate(vectors)]
    calm, flooded = [], []
    for version in range(1, FLOODS + 1):
        records = [world.enrolling.person(name, pictures, version=version) for name, pictures in people]
        began_ms = now_ms()
        time.sleep(CALM_S / FLOODS)
        between_ms = now_ms()
        for number, record in enumerate(records):
            world.site.send_raw(record.topic, record.key, record.value)
            if number % 50 == 0:
                time.sleep(0.01)  # this process also sends the frames, and notes when their tracks come
        world.site.producer.flush()
        time.sleep(max(0.0, (between_ms - now_ms()) / 1000 + FLOOD_S))
        flow.until("what was captured meanwhile", lambda: len(flow.seen) >= flow.sent - 2, PATIENCE_S)
        calm += flow.latencies_ms(began_ms, between_ms)
        flooded += flow.latencies_ms(between_ms, between_ms + round(1000 * FLOOD_S))
    p95 = [float(np.percentile(values, 95)) for values in (calm, flooded)]
    say(f"  p95 of {len(calm)} calm frames {p95[0]:.0f} ms, of {len(flooded)} in a flood {p95[1]:.0f} ms")
    what = f"p95 latency while {PEOPLE:,} people change, against before"
    return [at_most("faces", what, p95[1] / p95[0], 2.0)]


def _changed(world: FacesUnderTest, flow: Flow, say: Say) -> list[Row]:
    """Until when a name is still given after its removal, and after a denial; {PEOPLE} others stay enrolled."""
    vector = enrolment_vector()
    rows = []
    for what, change in (("removal of a person", _removal), ("'not this person'", _denial)):
        times_ms = []
        for number in range(ROUNDS_OF_CHANGE):
            name, version = f"ann-{len(what)}-{number}", 1
            world.put(world.enrolling.person(name, [vector], name, "banned"))
            flow.until("the name", lambda name=name: next(reversed(flow.seen.values()))[2] == name, PATIENCE_S)
            record = change(world, name, vector, version + 1)
            began_ms = now_ms()
            world.put(record)
            time.sleep(2.0)
            times_ms.append(flow.last_so(name, began_ms) - began_ms)
            if change is _denial:
                world.put(world.enrolling.removal(name, version=9))
        say(f"  {what}: the last frame with the name came after {times_ms} ms")
        rows.append(
            at_most("faces", f"from {what} to no match, worst of {ROUNDS_OF_CHANGE}", max(times_ms) / 1000, 1.0, " s")
        )
    return rows


def _removal(world: FacesUnderTest, name: str, _vector: Vector, version: int) -> Record:
    return world.enrolling.removal(name, version=version)


def _denial(world: FacesUnderTest, name: str, vector: Vector, _version: int) -> Record:
    return world.enrolling.denial(f"not-{name}", name, vector)


def _other(number: int) -> Vector:
    return seen(number + 10, 0.99)


def _looker() -> FaceLooker:
    options = SessionOptions(device="cpu")
    localiser = FaceLocaliser.open(load_manifest(MODELS / "face-localiser.json"), MODELS, options)
    embedder = FaceEmbedder.open(load_manifest(MODELS / "face-embedder.json"), MODELS, options)
    return FaceLooker(localiser, embedder, FaceConfig())


def bench(say: Say) -> list[Row]:
    """All rows."""
    cv2.setNumThreads(1)
    return [cost(say), *stream(say)]
