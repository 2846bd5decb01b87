"""`vedette explain`: where in a picture, or in an alert's, a model saw what it says; a picture and JSON beside it."""

from __future__ import annotations

import argparse
import getpass
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from archive.evidence import paths
from archive.explain.explaining import Explained, explain_box, explain_picture
from archive.explain.models import BUNDLED, model_of
from console.evidence import EvidenceReader
from console.rights import Who
from console.store.store import Store
from contracts.config_file import load
from contracts.errors import VedetteError
from contracts.face_models import manifest_path
from contracts.manifest import ModelManifest, load_manifest
from vedette.evidence import Evidence
from vedette.which_site import site_of

GRID = 24
"""The heat in the JSON is so many numbers across at most: what the parts that were covered can tell apart."""


def explain(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    """Explain a picture's file, or an alert by its id."""
    began_s = time.monotonic()
    picture = Path(given.what)
    if picture.is_file():
        model = given.model or BUNDLED / "detector.json"
        manifest, told = load_manifest(model), {"picture": str(picture)}
        made = explain_picture(manifest, model.parent, picture.read_bytes(), given.label)
    else:
        manifest, told, made = _of_alert(given, states, now_ms())
    name = picture.stem if picture.is_file() else given.what
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{name}.heat.jpg").write_bytes(made.overlay)
    said = told | as_json(manifest, made) | {"took_s": round(time.monotonic() - began_s, 2)}
    (given.out / f"{name}.heat.json").write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2))
    print(f"{given.out / f'{name}.heat.jpg'}: {manifest.id} sees {made.label}, {made.heat.score:.2f} ({made.method})")
    return 0


def as_json(manifest: ModelManifest, made: Explained) -> dict[str, Any]:
    """The explanation as plain values; `heat` is rows of 0-1 over the whole picture."""
    height, width = made.heat.values.shape
    step = max(1, -(-max(height, width) // GRID))
    rows = made.heat.values[step // 2 :: step, step // 2 :: step]
    return {
        "model": manifest.id,
        "label": made.label,
        "xyxy": made.xyxy,
        "score": round(made.heat.score, 4),
        "method": made.method,
        "runs": made.heat.runs,
        "heat": [[round(float(value), 3) for value in row] for row in rows],
    }


def _of_alert(
    given: argparse.Namespace, states: Sequence[Path], now_ms: int
) -> tuple[ModelManifest, dict[str, Any], Explained]:
    """The kept frame's box under the model that saw it, or another; the look at it stands in the console's audit."""
    file, state = site_of(given, states)
    config = load(file)
    site = Evidence(config, state)
    store = Store(site.database)
    store.open()
    try:
        alert = store.alerts.body(given.what)
        if alert is None:
            raise VedetteError(f"there is no file and no alert {given.what}")
        reader = EvidenceReader(store, site.files, site.key)
        who = Who(f"command of {getpass.getuser()}", "administrator")
        kept, jpeg = reader.kept(alert), reader.read(who, alert.id, "frame", now_ms)
        details = {"camera": alert.camera, "model": str(given.model or alert.model)}
        store.audit.record(at_ms=now_ms, who=who.name, action="explain", subject=alert.id, details=details)
    finally:
        store.close()
    if kept is None or jpeg is None or kept.evidence.xyxy is None:
        raise VedetteError(f"there is no picture of a single thing kept of alert {alert.id}")
    if given.model:
        manifest, folder = load_manifest(given.model), given.model.parent
    else:
        manifest, folder = model_of(alert.model, str(manifest_path(config, file)), config.models)
    seen = kept.evidence
    label = given.label or alert.label
    made = explain_box(manifest, folder, jpeg, (seen.width, seen.height), label, kept.evidence.xyxy)
    decided = site.files.read(paths.place_of(alert).file(paths.DECISIONS))
    decisions = msgspec.json.decode(decided) if decided is not None else None
    told = {"alert": alert.id, "why": alert.why, "trace": msgspec.to_builtins(alert.trace), "decisions": decisions}
    return manifest, told, made
