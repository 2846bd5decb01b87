"""The thread of the evidence process that keeps hard frames beside the alerts, where the config asks for them."""

from __future__ import annotations

import logging
import threading

from archive.collection.gather import scaled, within
from archive.collection.items import Box, Item, Sample, digest
from archive.collection.sampler import Sampler, SamplerState
from archive.collection.store import Collection, collection_files
from archive.evidence.anonymise import Boxes
from archive.evidence.frames import FrameMissed, Frames, Stopped
from archive.evidence.kafka_boxes import KafkaBoxes
from archive.evidence.kafka_frames import KafkaFrames
from archive.evidence.privacy import Redact, kept_of
from archive.process import Process, now_ms
from bus.group import GroupReader
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import FrameDetections, FrameTracks

log = logging.getLogger(__name__)

GROUP = "vedette-samples"
POLL_S, BATCH, AGAIN_S = 0.5, 200, 10.0


class Sampling:
    """Keeps what the sampler takes; each picture passes the site's redaction first."""

    def __init__(self, collection: Collection, frames: Frames, boxes: Boxes, redact: Redact, per_hour: float) -> None:
        self._collection = collection
        self._frames = frames
        self._boxes = boxes
        self._redact = redact
        self._sampler = Sampler(per_hour)
        self._states: dict[tuple[str, str], SamplerState] = {}

    def take(self, seen: FrameDetections) -> bool:
        """Look at what was seen in a frame; keeps it if it is worth it and still there. Raises OSError, Stopped."""
        place = (seen.camera, seen.lane)
        state, reasons = self._sampler.step(self._states.get(place, SamplerState()), seen)
        self._states[place] = state
        if not reasons:
            return False
        try:
            frame = self._frames.fetch(seen.ref)
            kept = kept_of(frame, self._redact)
        except FrameMissed as error:
            log.info("%s: a frame worth keeping is gone: %s", seen.camera, error)
            return False
        height, width = kept.picture.shape[:2]
        item = Item(
            sha256=digest(kept.jpeg),
            width=width,
            height=height,
            site=seen.site,
            camera=seen.camera,
            captured_at_ms=seen.captured_at_ms,
            source="sample",
            reasons=reasons,
            model=seen.model,
        )
        tracks = self._boxes.of(frame)
        boxes = boxes_of(tracks, width, height) if tracks is not None else {}
        self._collection.keep_sample(Sample(item=item, hidden=kept.jpeg != frame.jpeg, tracks=boxes), kept.jpeg)
        return True


def boxes_of(tracks: FrameTracks, width: int, height: int) -> dict[int, Box]:
    """The boxes of the tracks that were seen, by their ids, in the pixels of the JPEG."""
    found: dict[int, Box] = {}
    for one in tracks.tracks:
        xyxy = within(scaled(one.xyxy, width / tracks.width, height / tracks.height), width, height)
        if xyxy is not None and one.observed and not one.gone:
            found[one.track_id] = Box(
                xyxy=xyxy, label=one.label, kind="pseudo", confidence=one.confidence, by=tracks.model
            )
    return found


def begin_sampling(process: Process, redact: Redact) -> threading.Thread | None:
    """The thread, begun; it ends with the process's `stop`. None where no frames are wanted."""
    learning = process.config.learning
    if learning.samples_per_hour <= 0:
        return None
    collection = Collection(collection_files(learning, process.state))
    frames = KafkaFrames(process.bootstrap, process.stop)
    boxes = KafkaBoxes(process.bootstrap, process.config.kafka.partitions, now_ms, process.stop)
    sampling = Sampling(collection, frames, boxes, redact, learning.samples_per_hour)
    thread = threading.Thread(target=_keep, args=(sampling, process), name="samples", daemon=True)
    thread.start()
    return thread


def _keep(sampling: Sampling, process: Process) -> None:
    """Whatever fails, as a broker or a disk, is tried again; what was not committed comes again."""
    while not process.stop.is_set():
        try:
            _read(sampling, process)
        except Stopped:
            return
        except Exception:  # hard frames would stop for good, with nobody told
            log.exception("keeping hard frames failed; again in %g s", AGAIN_S)
            process.stop.wait(AGAIN_S)


def _read(sampling: Sampling, process: Process) -> None:
    reader = GroupReader(process.bootstrap, (topics.DETECTIONS,), GROUP)
    try:
        while not process.stop.is_set():
            records = reader.read(POLL_S, BATCH)
            for record in records:
                try:
                    sampling.take(decode(record.value or b"", FrameDetections))
                except ContractError as error:
                    # The decide job reads the same record and writes the dead letter.
                    log.warning("%s[%d] %d: %s", record.topic, record.partition, record.offset, error)
            if records:
                reader.commit()
    finally:
        reader.close()
