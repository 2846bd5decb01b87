"""A lobby's camera as the stream would see it: clips in the order of time, the real rules, answers from the truth.

The twelve CAVIAR clips of one camera (25 frames/s, of which every fifth is looked at) stand for one evening. The
operator sees alerts alone, and answers by whether the alert's box has a person in it; who marks, also draws whom the
alert's frame shows and its box misses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry

from archive.collection.items import Box, Item, Sample
from archive.collection.sampler import Sampler, SamplerState
from archive.collection.sampling import boxes_of
from archive.collection.seeing import Sight, fused
from archive.collection.store import Collection
from archive.evidence import paths
from archive.evidence.answers import take
from archive.evidence.chain import Chain
from archive.evidence.files import Files
from archive.evidence.privacy import as_sent, jpeg_of
from archive.evidence.writer import EvidenceWriter, Seen
from contracts.config import Config
from contracts.messages import Alert, Detection, Feedback, Frame, FrameDetections, FrameRef, FrameTracks
from contracts.metrics import Metrics
from stream.jobs.decider import Decider, LaneState
from stream.vision.fusion import iou
from tests.evidence_tools import KEY
from training.predict import ExportedDetector
from training.readers import Item as Labelled
from training.readers import read_mot
from training.recipe import TeacherConfig
from training.teachers import Teacher

SITE, CAMERA, TOPIC = "lobby", "hall", "frames.lobby"
ORDER = [
    *("Walk2_a", "Walk2_b", "Walk3_a", "Walk3_b", "Browse1", "Browse2"),
    *("Browse3", "Browse4", "Browse_WhileWaiting2", "Rest_InChair", "Rest_SlumpOnFloor", "Rest_FallOnFloor"),
]
"""As the sequences are published: who walks, who browses, who rests."""
EVERY, FRAME_MS = 5, 40
CLIP_MS = 3_600_000
"""Between the beginnings of two clips: nobody's visit spans two of them."""
START_MS = 1_790_000_000_000
PER_HOUR = 7200.0
"""Frames that the sampler may take: two a second, as the clips are seconds where a site has hours."""
LEARNING = {"ask_from": 0.05, "questions_per_hour": 20}
"""The camera asks about what a model that is nearly blind here may see, or nobody could answer anything."""
SAME = 0.5
"""What overlaps a person by so much, an operator takes for that person."""
PERSON = "person"

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Shot:
    """One frame: its place in the clip, its picture, and the people in it, xyxy [N,4] in pixels."""

    clip: int
    index: int
    path: Path
    people: NDArray[np.float32]

    @property
    def at_ms(self) -> int:
        """When it was captured."""
        return START_MS + self.clip * CLIP_MS + self.index * FRAME_MS

    @property
    def offset(self) -> int:
        """Its place in the log."""
        return self.clip * 10_000 + self.index


def shots(shared: Path, clip: str, cache: Path) -> list[Shot]:
    """Every fifth frame of a clip."""
    folder = shared / "tracking" / "CAVIAR" / clip
    items = [
        item
        for item in read_mot(folder / f"{clip}.mp4", folder / "gt" / "gt.txt", cache / clip, PERSON)
        if isinstance(item, Labelled)
    ]
    return [
        Shot(
            ORDER.index(clip),
            int(item.name) - 1,
            item.path,
            np.array([corners for _, *corners in item.boxes], np.float32).reshape(-1, 4),
        )
        for item in items
        if (int(item.name) - 1) % EVERY == 0
    ]


class Ensemble:
    """Three public detectors, with a closer look each, as teachers: what no stream could afford."""

    def __init__(self, teachers: Sequence[TeacherConfig], data: Path, threads: int) -> None:
        self._teachers = [Teacher(one, data, threads) for one in teachers]
        self.ids = tuple(Path(one.weights).stem for one in teachers)

    def __call__(self, picture: Picture) -> Sight:
        """See archive.collection.seeing.Sees."""
        return fused([_people(teacher, picture) for teacher in self._teachers], self.ids)


def _people(teacher: Teacher, picture: Picture) -> list[Box]:
    boxes, scores, labels = teacher.detect(picture)
    return [
        Box(xyxy=tuple(map(float, box)), label=PERSON, kind="pseudo", confidence=float(score), by="")
        for box, score, label in zip(boxes, scores, labels, strict=True)
        if label == 0  # COCO's person
    ]


class Lobby:
    """The evidence and the collection of the lobby, filled clip by clip as a model in service sees them."""

    def __init__(self, evidence: Files, collection: Collection) -> None:
        self._chain = Chain(evidence, KEY, lambda: START_MS)
        self._collection = collection
        zone = {"hall": {"coordinates": [[0, 0], [1, 0], [1, 1], [0, 1]]}}
        inputs, objects = [{"url": "rtsp://127.0.0.1/none"}], {"track": [PERSON]}
        camera = {"inputs": inputs, "objects": objects, "zones": zone, "learning": LEARNING}
        rules = {
            "entry": {"kind": "zone_entry", "zone": "hall", "cooldown_s": 0.0},
            "stay": {"kind": "loitering", "zone": "hall", "after_s": 3.0, "cooldown_s": 0.0},
        }
        self._config = msgspec.convert({"cameras": {CAMERA: camera}, "rules": rules, "site": {"name": SITE}}, Config)

    def watch(self, clip: Sequence[Shot], detector: ExportedDetector, model: str) -> int:
        """Let the stream see a clip: evidence of its alerts and sampled frames are kept; returns the alerts' count."""
        decider, state, sampled, sampler = Decider(self._config), LaneState(), SamplerState(), Sampler(PER_HOUR)
        log, alerts = {shot.offset: shot for shot in clip}, set[str]()
        writer = EvidenceWriter(
            self._chain,
            _Log(log),
            Metrics(CollectorRegistry()),
            names={},
            time_zone="UTC",
            redact=as_sent,
        )
        for shot in clip:
            seen = _seen(shot, detector, model, last=shot is clip[-1])
            state, decision = decider.frame(state, seen)
            for alert in decision.alerts:
                writer.write(alert)
                alerts.add(alert.id)
            sampled, reasons = sampler.step(sampled, seen)
            if reasons and decision.tracks is not None:
                self._keep(shot, decision.tracks, reasons)
        return len(alerts)

    def answer(self, clips: Sequence[Sequence[Shot]], wrong: float = 0.0, *, marks: bool = False) -> dict[str, int]:
        """Answer every alert that is kept and open, `wrong` of them falsely; returns how many were told what.

        With `marks` whoever else is in the alert's frame is drawn as missed.
        """
        truth = {shot.offset: shot.people for clip in clips for shot in clip}
        told = {"true": 0, "false": 0} | ({"missed": 0} if marks else {})
        for seen in self._open():
            people = truth.get(seen.evidence.ref.offset)
            if people is None:
                continue
            assert seen.evidence.xyxy is not None
            same = iou(np.array(seen.evidence.xyxy, np.float32), people) >= SAME
            hit = bool(same.any())
            if drawn(seen.alert, wrong):
                hit = not hit
            verdict = "true" if hit else "false"
            told[verdict] += 1
            take(self._chain, _verdict(seen, verdict))
            for box in people[~same] if marks else ():
                told["missed"] += 1
                take(self._chain, _missed(seen, box))
        return told

    def _open(self) -> Iterator[Seen]:
        files = self._chain.files
        for day in files.folders(SITE):
            for path in files.paths(f"{SITE}/{day}"):
                parsed = paths.parsed(path)
                if parsed is None or parsed[1] != paths.SEEN or files.size(parsed[0].file(paths.ANSWERS)) is not None:
                    continue
                yield msgspec.json.decode(files.read(path) or b"", type=Seen)

    def _keep(self, shot: Shot, tracks: FrameTracks, reasons: tuple[str, ...]) -> None:
        jpeg = _jpeg(shot.path)
        item = item_of(shot, hashlib.sha256(jpeg).hexdigest(), reasons, tracks.model)
        boxes = boxes_of(tracks, item.width, item.height)
        self._collection.keep_sample(Sample(item=item, tracks=boxes), jpeg)


def item_of(shot: Shot, sha256: str, reasons: tuple[str, ...] = (), model: str = "") -> Item:
    """A frame as an item of the collection."""
    height, width = cv2.imread(str(shot.path)).shape[:2]
    return Item(
        sha256=sha256,
        width=width,
        height=height,
        site=SITE,
        camera=CAMERA,
        captured_at_ms=shot.at_ms,
        source="sample",
        reasons=reasons,
        model=model,
    )


class _Log:
    """Frames by their place, as the broker has them."""

    def __init__(self, shots: dict[int, Shot]) -> None:
        self._shots = shots

    def fetch(self, ref: FrameRef) -> Frame:
        """See archive.evidence.frames.Frames."""
        shot, jpeg = self._shots[ref.offset], _jpeg(self._shots[ref.offset].path)
        height, width = cv2.imread(str(shot.path)).shape[:2]
        return Frame(
            site=SITE,
            camera=CAMERA,
            session=1,
            index=shot.index,
            captured_at_ms=shot.at_ms,
            width=width,
            height=height,
            detail=True,
            motion=1.0,
            sha256=hashlib.sha256(jpeg).hexdigest(),
            jpeg=jpeg,
        )


def _jpeg(path: Path) -> bytes:
    return jpeg_of(np.asarray(cv2.imread(str(path)), np.uint8))


def _seen(shot: Shot, detector: ExportedDetector, model: str, *, last: bool) -> FrameDetections:
    picture = np.asarray(cv2.imread(str(shot.path)), np.uint8)
    boxes, scores, labels = detector.detect(picture)
    found = tuple(
        Detection(xyxy=tuple(map(float, box)), confidence=float(score), label=PERSON)
        for box, score, label in zip(boxes, scores, labels, strict=True)
        if label == 0 and box[2] > box[0] and box[3] > box[1]
    )
    return FrameDetections(
        site=SITE,
        camera=CAMERA,
        lane="live",
        session=shot.clip + 1,
        index=shot.index,
        captured_at_ms=shot.at_ms,
        detected_at_ms=shot.at_ms,
        width=picture.shape[1],
        height=picture.shape[0],
        detail=True,
        motion=1.0,
        ref=FrameRef(TOPIC, 0, shot.offset),
        model=model,
        detections=found,
        last=last,
    )


def drawn(name: str, share: float) -> bool:
    """Whether a name is among the `share` of all that its digest draws."""
    return hashlib.sha256(name.encode()).digest()[0] < share * 256


def _verdict(seen: Seen, verdict: str) -> Feedback:
    return _feedback(seen, verdict, {"action": "verdict", "verdict": verdict})


def _missed(seen: Seen, box: NDArray[np.float32]) -> Feedback:
    xyxy = tuple(map(float, box))
    evidence = msgspec.structs.replace(seen.evidence, xyxy=xyxy, confidence=1.0, boxes=(), embedding=b"")
    told = {"action": "missed", "label": PERSON}
    return msgspec.structs.replace(_feedback(seen, "-".join(f"{at:.0f}" for at in xyxy), told), evidence=evidence)


def _feedback(seen: Seen, name: str, told: dict[str, str]) -> Feedback:
    return msgspec.convert(
        {
            "id": f"{seen.alert}-{name}",
            "site": SITE,
            "camera": CAMERA,
            "alert": seen.alert,
            "revision": seen.revision,
            "operator": "truth",
            "at_ms": seen.evidence.captured_at_ms + 60_000,
            "started_at_ms": seen.evidence.captured_at_ms,
            **told,
        },
        Feedback,
    )


__all__ = ["ORDER", "Alert", "Ensemble", "Lobby", "Shot", "drawn", "item_of", "shots"]
