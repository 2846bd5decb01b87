"""Controls of every kind, for jobs and agents."""

from __future__ import annotations

import msgspec

from contracts.config import (
    Anomaly,
    Arming,
    KnownPerson,
    Line,
    LineCrossing,
    Loitering,
    Period,
    Zone,
)
from contracts.controls import (
    Budget,
    Control,
    EdgeControl,
    EndCandidate,
    ProbeCamera,
    Removed,
    RunCamera,
    SetArming,
    SetCamera,
    SetLine,
    SetModel,
    SetRule,
    SetSuppressions,
    SetZone,
    StopCamera,
)
from contracts.manifest import (
    DataReference,
    Lineage,
    ModelInput,
    ModelManifest,
    Provenance,
    ScoreCalibration,
    ScoreLevel,
    ScoreTail,
    Signature,
    Words,
)
from contracts.messages import (
    Message,
)
from contracts.suppressions import Suppression
from tests.golden.common import AT_MS, CAMERA, SHA256, SQUARE

SUPPRESSION = Suppression(
    id="answer-1",
    alert="alert-1",
    rule="intruder",
    label="person",
    xyxy=(0.25, 0.5, 0.375, 0.75),
    model="vedette-nano@3",
    hours=Period(from_="22:00", until="04:00"),
    made_at_ms=AT_MS,
    until_ms=AT_MS + 86_400_000,
    embedding=b"\x00\x3c\x00\xbc",
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
SIGNED = msgspec.structs.replace(
    MANIFEST,
    lineage=Lineage(
        parent="vedette-nano@2",
        data=(DataReference(name="lobby", sha256=SHA256),),
        code="0.9",
        recipe_sha256=SHA256,
    ),
    signature=Signature(key="ed25519:a2V5", value="c2lnbmVk"),
)
TOLD = msgspec.structs.replace(
    MANIFEST,
    lineage=Lineage(
        parent="vedette-nano@2",
        words=(Words(camera="gate", label="person", words=21, contradicted=6, by={"anna": 4, "bea": 2}),),
    ),
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


def _control(
    change: SetZone | SetLine | SetRule | SetArming | SetModel | EndCandidate | SetSuppressions | Removed,
) -> Control:
    return Control(site="home", origin="console", version=7, effective_from_ms=AT_MS, change=change)


CONTROLS: dict[str, Message] = {
    "edge_control_budget": EdgeControl(
        site="home",
        change=Budget(
            camera="gate", fps=5.0, detail_fps=0.5, heartbeat_s=10.0, motion_threshold=20.0, motion_area=0.25
        ),
    ),
    "edge_control_share": EdgeControl(site="home", change=Budget(camera="gate", share=0.5)),
    "edge_control_run": EdgeControl(site="home", change=RunCamera(camera="gate", spec=CAMERA)),
    "edge_control_move": EdgeControl(
        site="home",
        change=RunCamera(camera="gate", spec=msgspec.structs.replace(CAMERA, agent="gate-box"), session=AT_MS),
    ),
    "edge_control_ask": EdgeControl(
        site="home",
        change=ProbeCamera(id="0b5c1f6f", source=CAMERA.inputs[0], until_ms=AT_MS, agent="gate-box"),
    ),
    "edge_control_stop": EdgeControl(site="home", change=StopCamera(camera="gate")),
    "edge_control_probe": EdgeControl(
        site="home", change=ProbeCamera(id="0b5c1f6e", source=CAMERA.inputs[0], until_ms=AT_MS)
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
    "control_model_signed": _control(SetModel(manifest=SIGNED, folder="")),
    "control_model_told": _control(SetModel(manifest=TOLD, folder="")),
    "control_model": _control(SetModel(manifest=MANIFEST, folder="/models/vedette-nano/3")),
    "control_model_canary": _control(
        SetModel(manifest=MANIFEST, folder="/models/vedette-nano/4", stage="canary", cameras=("gate",), share=0.5)
    ),
    "control_model_watched": _control(SetModel(manifest=SIGNED, folder="", before=MANIFEST)),
    "control_in_service_end": _control(
        EndCandidate(
            task="detector", model="vedette-nano@4", by="rollout-guard", reason="2 of 2 are lost", in_service=True
        )
    ),
    "control_candidate_end": _control(
        EndCandidate(task="detector", model="vedette-nano@4", by="rollout-guard", reason="errors on 3 of 50 frames")
    ),
    "control_removed": _control(Removed(kind="zone", name="yard", camera="gate")),
    "control_suppressions": _control(SetSuppressions(camera="gate", suppressions=(SUPPRESSION,))),
}
