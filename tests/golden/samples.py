"""One message of every type with every field set: what the golden files hold.

A file, once written, stays for ever. When a type gets a field, add a sample under a new name; leave these as they are.
"""

from __future__ import annotations

import msgspec

from contracts.config import (
    Anomaly,
    Arming,
    Camera,
    Detect,
    Filter,
    Input,
    KnownPerson,
    Line,
    LineCrossing,
    Loitering,
    Mask,
    Motion,
    Objects,
    Period,
    Zone,
)
from contracts.controls import (
    Budget,
    Control,
    EdgeControl,
    Masks,
    ProbeCamera,
    Removed,
    RunCamera,
    SetArming,
    SetCamera,
    SetLine,
    SetModel,
    SetRule,
    SetZone,
    StopCamera,
)
from contracts.identity import Identified, RunnerUp, TrackIdentity
from contracts.manifest import ModelInput, ModelManifest, Provenance, ScoreCalibration, ScoreLevel, ScoreTail
from contracts.messages import (
    Alert,
    CameraCounters,
    CameraProbe,
    Condition,
    DeadLetter,
    Detection,
    EdgeStatus,
    Event,
    Evidence,
    Feedback,
    Frame,
    FrameDetections,
    FrameRef,
    FrameTracks,
    Look,
    Message,
    TrackedObject,
    WindowStats,
)
from contracts.people import (
    FaceKey,
    ForgetUnknown,
    GalleryChange,
    GalleryContent,
    MergeUnknowns,
    PeopleCommand,
    RemovedPerson,
    SetDenial,
    SetPerson,
    Sighting,
    SplitUnknown,
    UnknownSeen,
    UnknownVisit,
)

AT_MS = 1_767_571_200_123
REF = FrameRef("frames.home", 1, 4711)
SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
LOOK = Look(kind="face", model="faces@2", quality=0.5, xyxy=(1.0, 2.0, 3.0, 4.0), vector=b"\0\1", values={"age": 41.5})
EVIDENCE = Evidence(
    ref=REF, captured_at_ms=AT_MS, width=1920, height=1080, xyxy=(1.5, 2.5, 30.0, 40.0), confidence=0.75, detail=True
)
TRACE = (Condition("zone", "in yard", "in yard"), Condition("after_s", "30", "12.5", False))
CAMERA = Camera(
    inputs=(Input(url="rtsp://viewer:{GATE_PASSWORD}@gate/sub", roles=("detect",), open_timeout_s=5.0),),
    enabled=False,
    friendly_name="Gate",
    slot=3,
    position=(0.25, 0.5),
    metres_per_pixel=0.125,
    detect=Detect(fps=5.0, detail_fps=1.0, height=720, jpeg_quality=90, heartbeat_s=2.0),
    motion=Motion(enabled=True, threshold=20.0, area=0.25, linger_s=1.0),
    masks={"window": Mask(coordinates=SQUARE)},
    objects=Objects(track=("person",), filters={"person": Filter(min_score=0.5, min_area=0.25, max_area=0.5)}),
)
MANIFEST = ModelManifest(
    name="vedette-nano",
    version="3",
    task="detector",
    file="model.onnx",
    sha256=SHA256,
    input=ModelInput(name="images", width=416, height=416, channels="rgb", letterbox=0),
    labels=("person", "car"),
    layout="yolox",
    label_map={"person": "person"},
    thresholds={"default": 0.5, "person": 0.25},
    low_threshold=0.125,
    nms_iou=0.5,
    metrics={"AP50": 0.625},
    provenance=Provenance(licence="Apache-2.0", trained_from="yolox", data="coco", recipe="finetune@1"),
    created_at="2026-01-05",
)

EMBEDDER = ModelManifest(
    name="faces",
    version="2",
    task="face-embedder",
    file="faces.onnx",
    sha256=SHA256,
    input=ModelInput(name="images", width=112, height=112),
    labels=("face",),
    embedding=128,
    calibration=ScoreCalibration(
        qualities=(0.25, 0.75),
        cosines=(0.375, 0.875),
        levels=(
            ScoreLevel(
                strength=0.5,
                impostors=ScoreTail(start=0.25, share=0.0625, scale=0.125, shape=-0.5),
                genuine_mean=0.625,
                genuine_std=0.125,
            ),
        ),
        correlation=0.5,
    ),
    provenance=Provenance(licence="Apache-2.0"),
)


IDENTITY = Identified(
    decision="identified",
    person_id="p-1",
    name="Ann",
    group="banned",
    score=0.75,
    threshold=0.5,
    strangers=0.0625,
    looks=4,
    quality=0.875,
    runners_up=(RunnerUp("p-2", "Bob", 0.25),),
    face=(1.0, 2.0, 3.0, 4.0),
    sealed=b"\x01\x00\xff",
    pseudonym="u-1",
    visits=3,
)


def _gallery(change: GalleryContent) -> GalleryChange:
    return GalleryChange(site="home", version=7, change=change)


def _people(name: str, command: MergeUnknowns | SplitUnknown | ForgetUnknown) -> PeopleCommand:
    return PeopleCommand(id=f"command-{name}", site="home", at_ms=AT_MS, by="olga", command=command)


def _control(change: SetZone | SetLine | SetRule | SetArming | SetModel | Removed) -> Control:
    return Control(site="home", origin="console", version=7, effective_from_ms=AT_MS, change=change)


SAMPLES: dict[str, Message] = {
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
    "event": Event(
        id="event-1",
        site="home",
        camera="gate",
        lane="live",
        kind="zone_entry",
        rule="yard",
        rule_version=2,
        at_ms=AT_MS,
        ended=True,
        opened_by="event-0",
        track_ids=(12, 13),
        label="person",
        zone="yard",
        score=4.5,
        trace=TRACE,
        area=SQUARE,
        trail=((10.5, 20.5), (11.0, 21.0)),
        evidence=EVIDENCE,
    ),
    "alert": Alert(
        id="alert-1",
        revision=3,
        state="end",
        site="home",
        camera="gate",
        rule="yard",
        rule_version=2,
        kind="zone_entry",
        severity="critical",
        started_at_ms=AT_MS - 9000,
        at_ms=AT_MS,
        ended_at_ms=AT_MS,
        end_reason="left the zone",
        label="person",
        zone="yard",
        track_ids=(12,),
        score=4.5,
        why="A person came into the yard (über den Zaun)",
        instructions="Call the guard",
        trace=TRACE,
        area=SQUARE,
        trail=((10.5, 20.5),),
        evidence=EVIDENCE,
        model="vedette-nano@3",
        config_version="c7",
        late=True,
        decided_at_ms=AT_MS + 40,
    ),
    "feedback": Feedback(
        id="answer-1",
        site="home",
        camera="gate",
        alert="alert-1",
        revision=3,
        action="verdict",
        operator="wächter",
        at_ms=AT_MS + 9000,
        verdict="nuisance",
        to="supervisor",
        text="a bush, not a person",
        until_ms=AT_MS + 3_600_000,
        rule="yard",
        rule_version=2,
        kind="zone_entry",
        label="person",
        zone="yard",
        score=4.5,
        track_ids=(12,),
        evidence=EVIDENCE,
        model="vedette-nano@3",
        config_version="c7",
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
    "edge_control_budget": EdgeControl(
        site="home",
        change=Budget(
            camera="gate", fps=5.0, detail_fps=0.5, heartbeat_s=10.0, motion_threshold=20.0, motion_area=0.25
        ),
    ),
    "edge_control_masks": EdgeControl(site="home", change=Masks(camera="gate", polygons={"window": SQUARE})),
    "edge_control_run": EdgeControl(site="home", change=RunCamera(camera="gate", spec=CAMERA)),
    "edge_control_stop": EdgeControl(site="home", change=StopCamera(camera="gate")),
    "edge_control_probe": EdgeControl(
        site="home", change=ProbeCamera(id="0b5c1f6e", source=CAMERA.inputs[0], until_ms=AT_MS)
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
    "control_camera": _control(SetCamera(camera="gate", spec=msgspec.structs.replace(CAMERA, inputs=()))),
    "control_removed_camera": _control(Removed(kind="camera", camera="gate")),
    "control_zone": _control(
        SetZone(
            camera="gate",
            name="yard",
            zone=Zone(coordinates=SQUARE, objects=("person",), inertia_s=0.5, loitering_time=20.0),
        )
    ),
    "control_line": _control(
        SetLine(camera="gate", name="fence", line=Line(coordinates=((0.0, 0.5), (1.0, 0.5)), objects=("person",)))
    ),
    "control_rule": _control(
        SetRule(
            name="yard",
            rule=Loitering(
                cameras=("gate",),
                labels=("person", "dog"),
                schedule=(Period(days=("sat", "sun"), from_="22:00", until="06:00"),),
                min_confidence=0.5,
                severity="high",
                cooldown_s=60.0,
                instructions="Look",
                enabled=False,
                always_armed=True,
                zone="yard",
                after_s=15.0,
            ),
        )
    ),
    "control_rule_line": _control(SetRule(name="fence", rule=LineCrossing(line="fence", direction="out"))),
    "control_rule_anomaly": _control(SetRule(name="odd", rule=Anomaly(zone="yard", score=5.0))),
    "control_rule_known_person": _control(
        SetRule(
            name="watch", rule=KnownPerson(groups=("banned",), people=("Ann",), except_groups=("vip",), zone="yard")
        )
    ),
    "control_arming": _control(
        SetArming(
            arming=Arming(armed=False, schedule=(Period(),), disarmed_zones=("yard",), maintenance=True), camera="gate"
        )
    ),
    "control_model_calibrated": _control(SetModel(manifest=EMBEDDER, folder="/models/faces/2")),
    "control_model": _control(SetModel(manifest=MANIFEST, folder="/models/vedette-nano/3")),
    "control_removed": _control(Removed(kind="zone", name="yard", camera="gate")),
    "frame_tracks_identity": FrameTracks(
        site="home",
        camera="gate",
        lane="live",
        session=3,
        index=45,
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
                identity=TrackIdentity(decision="identified", person_id="p-1"),
            ),
        ),
    ),
    "event_identity": Event(
        id="event-2",
        site="home",
        camera="gate",
        lane="live",
        kind="known_person",
        rule="banned",
        rule_version=2,
        at_ms=AT_MS,
        identity=IDENTITY,
    ),
    "alert_identity": Alert(
        id="alert-2",
        revision=1,
        state="new",
        site="home",
        camera="gate",
        rule="banned",
        rule_version=2,
        kind="known_person",
        severity="critical",
        started_at_ms=AT_MS,
        at_ms=AT_MS,
        identity=IDENTITY,
    ),
    "gallery_person": _gallery(SetPerson(id="p-1", group="vip", wrapped=b"\x00\x01", sealed=b"\x02\x03")),
    "gallery_denial": _gallery(SetDenial(id="d-1", person_id="p-1", model="face-embedder@1", sealed=b"\x04")),
    "gallery_removed": _gallery(RemovedPerson(kind="person", id="p-1")),
    "face_key": FaceKey(site="home", day=20_458, wrapped=b"\x05\x06"),
    "sighting": Sighting(
        site="home",
        camera="gate",
        lane="live",
        track="gate/live/3/12",
        first_at_ms=AT_MS - 5000,
        at_ms=AT_MS,
        decision="unknown",
        model="face-embedder@1",
        sealed=b"\x07",
        strength=0.75,
        looks=4,
        quality=0.5,
        ref=REF,
        face=(1.0, 2.0, 3.0, 4.0),
        width=1920,
        height=1080,
        person_id="p-1",
        score=0.25,
        strangers=0.5,
        runners_up=(RunnerUp("p-2", "Bob", 0.25),),
        zones=("yard",),
        final=True,
    ),
    "unknown_seen": UnknownSeen(
        site="home",
        pseudonym="u-1",
        first_at_ms=AT_MS - 5000,
        last_at_ms=AT_MS,
        came=3,
        model="face-embedder@1",
        visits=(
            UnknownVisit(
                track="gate/live/3/12", camera="gate", at_ms=AT_MS, strength=0.75, ref=REF, face=(1.0, 2.0, 3.0, 4.0)
            ),
        ),
        sealed=b"\x08",
        gone=True,
        merged_into="u-0",
    ),
    "people_merge": _people("merge", MergeUnknowns(keep="u-1", other="u-2")),
    "people_split": _people("split", SplitUnknown(pseudonym="u-1", tracks=("gate/live/3/12",))),
    "people_forget": _people("forget", ForgetUnknown(pseudonym="u-1")),
}
