"""`vedette explain`: where in a picture, or in an alert's, a model saw what it says; a picture and JSON beside it."""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from archive.collection.store import Collection
from archive.evidence import paths
from archive.explain.explaining import OPTIONS, Explained, explain_box, explain_picture
from archive.explain.models import BUNDLED, model_of
from archive.explain.nearest import nearest, strip, vector_at
from archive.registry import registry_of
from console.evidence import EvidenceReader
from console.rights import Who
from console.store.store import Store
from contracts.config import Config
from contracts.config_file import load
from contracts.decoding import from_json
from contracts.errors import VedetteError
from contracts.face_models import manifest_path
from contracts.fields import Xyxy
from contracts.manifest import ModelManifest, load_manifest
from stream.vision.image import Size
from stream.vision.session import Session
from vedette.dataset import DataSets
from vedette.evidence import Evidence
from vedette.which_site import site_of

GRID = 24
"""The heat in the JSON is so many numbers across at most: what the parts that were covered can tell apart."""


def explain(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    """Explain a picture's file, or an alert by its id."""
    began_s = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    picture = Path(given.what)
    if picture.is_file():
        model = given.model or BUNDLED / "detector.json"
        manifest, told = load_manifest(model), {"picture": str(picture)}
        made = explain_picture(manifest, model.parent, picture.read_bytes(), given.label)
    else:
        manifest, told, made = _of_alert(given, states, now_ms())
    name = picture.stem if picture.is_file() else given.what
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
    session, picture = Session.open(manifest, folder, OPTIONS), (seen.width, seen.height)
    made = explain_box(session, jpeg, picture, label, kept.evidence.xyxy)
    decided = site.files.read(paths.place_of(alert).file(paths.DECISIONS))
    decisions = from_json(decided, Any) if decided is not None else None
    told = {"alert": alert.id, "why": alert.why, "trace": msgspec.to_builtins(alert.trace), "decisions": decisions}
    looked = _Looked(session, jpeg, picture, kept.evidence.xyxy)
    told["nearest"] = _nearest(
        looked, DataSets(config, file, state).collection, config, given.out / f"{alert.id}.nearest.jpg"
    )
    return manifest, told, made


class _Looked(NamedTuple):
    """A box of a picture, and the model that saw it."""

    session: Session
    jpeg: bytes
    picture: Size
    xyxy: Xyxy


def _nearest(looked: _Looked, collection: Collection, config: Config, out: Path) -> dict[str, Any]:
    """What the box looks like in the data set, as plain values, with the pictures beside; or why nothing is said."""
    registry = registry_of(config.models, lambda: 0)
    try:
        vector = vector_at(looked.session, looked.jpeg, looked.picture, looked.xyxy)
        learnt = registry.learnt(looked.session.manifest.id) if registry is not None else frozenset()
        found = nearest(collection, looked.session, vector, learnt=learnt)
    except VedetteError as error:
        print(f"what it looks like is not known: {error}")
        return {"error": str(error)}
    for one in found.examples:
        at = f"{dt.datetime.fromtimestamp(one.captured_at_ms / 1000, dt.UTC):%Y-%m-%d %H:%M}Z"
        print(f"  {one.likeness:.2f} like {one.label} ({one.kind}, by {one.by or '-'}) at {one.camera}, {at}")
    pictures = strip(collection, found.examples)
    if pictures:
        out.write_bytes(pictures)
    said: dict[str, Any] = msgspec.to_builtins(found)
    return said
