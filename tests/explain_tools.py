"""A site whose detector is the tests' own and knows a red lamp, and an alert about one with its evidence."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from msgspec.structs import replace

from archive.evidence import paths
from archive.evidence.chain import Chain
from contracts import codec
from contracts.manifest import ModelManifest
from contracts.messages import Alert
from tests.builders import DATA, jpeg_of, manifest_of, solid
from tests.console_tools import alert_of, evidence_of

MODEL = manifest_of(DATA / "bright_boxes.onnx")
LAMP = (160.0, 80.0, 240.0, 160.0)
"""Where the lamp is in the camera's picture of 320x320: one cell of the model."""


def jpeg() -> bytes:
    """A black picture with a red lamp."""
    picture = solid(320, 320)
    picture[80:160, 160:240] = (0, 0, 255)
    return jpeg_of(picture)


def lamp_alert(number: int = 0, model: str = MODEL.id) -> Alert:
    """An alert about it."""
    seen = replace(evidence_of(number), xyxy=LAMP, width=320, height=320)
    return alert_of(number, label="red", evidence=seen, model=model)


def manifest_in(folder: Path, model: ModelManifest = MODEL) -> Path:
    """The model's file and manifest."""
    shutil.copy(DATA / model.file, folder / model.file)
    path = folder / "manifest.json"
    path.write_bytes(msgspec.json.encode(model))
    return path


def keep(chain: Chain, alert: Alert) -> None:
    """Its evidence, as the evidence service has it."""
    seen = {"revision": 0, "evidence": alert.evidence, "sha256": "0" * 64}
    decisions = {"alert": alert.id, "decisions": []}
    files = {
        paths.FRAME: jpeg(),
        paths.SEEN: msgspec.json.encode(seen),
        paths.ALERT: codec.encode(alert),
        paths.DECISIONS: msgspec.json.encode(decisions),
    }
    chain.keep(paths.place_of(alert), files, "revision 0")
