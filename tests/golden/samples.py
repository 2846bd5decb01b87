"""One message of every type with every field set: what the golden files hold.

A file, once written, stays for ever. When a type gets a field, add a sample under a new name; leave these as they are.
"""

from __future__ import annotations

import msgspec

from contracts.attributes import TrackAttribute
from contracts.drift import DriftReport, Signal
from contracts.edge_messages import CameraCounters, CameraProbe, EdgeStatus
from contracts.messages import (
    DeadLetter,
    Detection,
    Frame,
    FrameDetections,
    FrameTracks,
    Look,
    Message,
    TrackedObject,
    WindowStats,
)
from contracts.model_reports import Compared, ModelReport, Served
from tests.golden.alert_samples import ALERTS
from tests.golden.common import AT_MS, ATTRIBUTE, LOOK, REF, SHA256
from tests.golden.control_samples import CONTROLS
from tests.golden.people_samples import PEOPLE

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

OTHERS: dict[str, Message] = {
    "frame": Frame(
        site="home",
        camera="gate",
        session=3,
        index=2**40,
        captured_at_ms=AT_MS,
        width=1920,
        height=1080,
        detail=True,
        motion=0.125,
        sha256=SHA256,
        jpeg=b"\xff\xd8\xff\xd9",
        last=True,
    ),
    "frame_detections": FrameDetections(
        site="home",
        camera="gate",
        lane="late",
        session=3,
        index=44,
        captured_at_ms=AT_MS,
        detected_at_ms=AT_MS + 20,
        width=1920,
        height=1080,
        detail=True,
        motion=0.125,
        ref=REF,
        model="vedette-nano@3",
        detections=(
            Detection(
                xyxy=(1.0, 2.0, 3.5, 4.5), confidence=0.875, label="person", embedding=b"\x00\x3c", looks=(LOOK,)
            ),
            Detection(xyxy=(0.0, 0.0, 1.0, 1.0), confidence=0.1, label="car"),
        ),
        last=True,
    ),
    "frame_detections_classified": FrameDetections(
        site="home",
        camera="gate",
        lane="live",
        session=3,
        index=45,
        captured_at_ms=AT_MS,
        detected_at_ms=AT_MS + 20,
        width=1920,
        height=1080,
        detail=True,
        motion=0.125,
        ref=REF,
        model="vedette-nano@3",
        detections=(
            Detection(
                xyxy=(1.0, 2.0, 3.5, 4.5),
                confidence=0.875,
                label="person",
                looks=(
                    Look(
                        kind="attribute:hard_hat",
                        model="hard-hat@2",
                        quality=0.5,
                        values={"yes": 0.25, "no": 0.75},
                        thresholds={"default": 0.75, "no": 0.5},
                    ),
                ),
            ),
        ),
    ),
    "frame_tracks": FrameTracks(
        site="home",
        camera="gate",
        lane="live",
        session=3,
        index=44,
        captured_at_ms=AT_MS,
        interval_ms=100,
        width=1920,
        height=1080,
        ref=REF,
        model="vedette-nano@3",
        tracks=(
            TrackedObject(
                track_id=12,
                xyxy=(1.0, 2.0, 3.5, 4.5),
                confidence=0.875,
                label="person",
                first_seen_at_ms=AT_MS - 5000,
                observed=False,
                stationary=True,
                zones=("yard",),
                entered=("yard",),
                left=("street", "path"),
                dwell_ms=(1500, 0),
                crossed=("fence:in",),
            ),
        ),
        last=True,
    ),
    "edge_status": EdgeStatus(
        site="home",
        camera="gate",
        agent="agent-1",
        session=3,
        at_ms=AT_MS,
        state="down",
        reason="no picture for 10 s",
        tamper=("frozen", "blurred"),
        last_frame_at_ms=AT_MS - 10_000,
        width=1920,
        height=1080,
        captured_fps=24.5,
        sent_fps=9.5,
        counters=CameraCounters(captured=5, sent=4, gated=3, spooled=2, dropped={"spool_full": 1}),
        spool_bytes=2**33,
        clock_offset_ms=-40,
    ),
    "edge_status_version": EdgeStatus(
        site="home", camera="gate", agent="agent-1", session=3, at_ms=AT_MS, state="up", version="0.1.0"
    ),
    "window_stats": WindowStats(
        site="home",
        camera="gate",
        lane="live",
        zone="yard",
        label="person",
        start_ms=1_767_571_200_000,
        end_ms=1_767_571_260_000,
        part=1,
        frames=600,
        observed_ms=59_900,
        occupancy_ms=120_000,
        occupancy_max=4,
        entered=3,
        left=2,
        dwell_ms=45_000,
        late_records=5,
        final=False,
    ),
    "dead_letter": DeadLetter(
        topic="frames.home",
        partition=1,
        offset=4711,
        source="detect",
        reason="no Frame: Input data was truncated",
        sha256=SHA256,
        size=100_000,
        payload=b"\x00\xff\x80",
        at_ms=AT_MS,
    ),
    "camera_probe": CameraProbe(
        site="home",
        id="0b5c1f6e",
        agent="edge-1",
        at_ms=AT_MS,
        took_s=1.5,
        error="no",
        jpeg=b"\xff\xd8\xff\xd9",
        width=1920,
        height=1080,
        fps=25.0,
        codec="h264",
    ),
    "drift": DriftReport(
        site="home",
        camera="gate",
        part=3,
        at_ms=AT_MS,
        model="vedette-nano@3",
        learnt=32,
        wanted=32,
        signals=(
            Signal(of="confidence", distance=0.25, usual=0.0625, evidence=20_000.0, drifted=True),
            Signal(of="appearance", distance=0.125, usual=0.0625, evidence=1.5),
        ),
        confidence=0.5,
        usual_confidence=0.75,
    ),
    "model_report": ModelReport(
        site="home",
        process="detect-1",
        at_ms=1_767_225_600_000,
        in_service="vedette-nano@3",
        candidate="vedette-nano@4",
        stage="canary",
        version=1_767_225_500_000,
        state="failing",
        reason="vedette-nano@4: not 2 outputs",
        served=(Served(camera="gate", model="vedette-nano@4", frames=20, errors=1, seconds=0.5, boxes={"person": 9}),),
        compared=(
            Compared(
                camera="gate",
                candidate="vedette-nano@4",
                in_service="vedette-nano@3",
                frames=5,
                errors=1,
                dropped=1,
                candidate_s=0.125,
                in_service_s=0.25,
                boxes={"person": 4},
                gained={"car": 2},
                lost={"person": 1},
                shift=-0.5,
            ),
        ),
    ),
    "frame_tracks_colours": FrameTracks(
        site="home",
        camera="gate",
        lane="live",
        session=3,
        index=46,
        captured_at_ms=AT_MS,
        interval_ms=100,
        width=1920,
        height=1080,
        ref=REF,
        model="vedette-nano@3",
        tracks=(
            TrackedObject(
                track_id=12,
                xyxy=(1.0, 2.0, 3.5, 4.5),
                confidence=0.875,
                label="person",
                first_seen_at_ms=AT_MS - 5000,
                colours=("red", ""),
            ),
        ),
    ),
    "frame_tracks_attributes": FrameTracks(
        site="home",
        camera="gate",
        lane="live",
        session=3,
        index=47,
        captured_at_ms=AT_MS,
        interval_ms=100,
        width=1920,
        height=1080,
        ref=REF,
        model="vedette-nano@3",
        tracks=(
            TrackedObject(
                track_id=12,
                xyxy=(1.0, 2.0, 3.5, 4.5),
                confidence=0.875,
                label="person",
                first_seen_at_ms=AT_MS - 5000,
                attributes=(ATTRIBUTE, TrackAttribute(name="vest", value="", confidence=0.55, looks=1)),
            ),
        ),
    ),
}

TRACED: dict[str, Message] = {
    f"{name}_traced": msgspec.structs.replace((OTHERS | ALERTS)[name], traceparent=TRACEPARENT)
    for name in ("frame", "frame_detections", "alert")
}

SAMPLES: dict[str, Message] = OTHERS | ALERTS | TRACED | CONTROLS | PEOPLE
