"""What the gate says of candidates of the lobby: good ones, one that learnt wrong answers, one that is broken."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from archive.collection.items import digest
from archive.evidence.privacy import jpeg_of
from contracts.manifest import load_manifest
from tests.bench.learning_rounds import LAST, ROUNDS, Bench
from tests.bench.lobby import CAMERA, PERSON, Shot
from training.bundle import write_manifest
from training.dataset import read_picture, read_sets
from training.evaluate import sample_labels
from training.export import export_detector
from training.gate.run import run
from training.gate.sets import SetEntry, read_set
from training.network import LevelHead, load_exported

KNOWN, BROKEN = "street", "dog"
"""The camera that coco128's test half stands for, and the class that the broken candidate lost: only there are dogs."""


def gate(bench: Bench, part: str) -> None:
    """Hold candidates against the model in service before them, as `vedette learn` does, and the last one against the
    start too."""
    listed = frozen(bench)
    last = len(ROUNDS)
    before, good = (_candidate(bench, f"{part}-{number}") for number in (last - 1, last))
    judged = {
        f"{part}-{last}": (good, bench.start()),
        f"{part}-{last} after {last - 1}": (good, before),
        f"poisoned-{last}": (_candidate(bench, f"poisoned-{last}"), before),
        "broken": (_broken(bench, good), good),
    }
    for name, (candidate, against) in judged.items():
        if not candidate.exists() or f"gate {name}" in bench.results:
            continue
        models = [(load_manifest(one), one.parent) for one in (candidate, against)]
        report = run(models[0], models[1], listed)
        places = [f"{one.label} at {one.camera}" for one in report.refusals if one.camera]
        bench.note(f"gate {name}", {"passed": report.passed, "why": report.why, "places": places})


def _candidate(bench: Bench, name: str) -> Path:
    part, _, number = name.rpartition("-")
    return bench.out / part / f"round-{number}" / "candidate" / "detector.json"


def _broken(bench: Bench, good: Path) -> Path:
    """The good candidate, but that one class is never seen."""
    path = bench.out / "broken" / "detector.json"
    if path.exists() or not good.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    manifest = load_manifest(good)
    net = copy.deepcopy(load_exported(good.parent / manifest.file))
    with torch.no_grad():
        for head in net.heads:
            assert isinstance(head, LevelHead)
            assert head.classes.bias is not None
            head.classes.bias[bench.recipe.channels.index(BROKEN)] = -20.0
    model = path.with_suffix(".onnx")
    export_detector(net, bench.recipe.groups, bench.recipe.size, model)
    sha256 = digest(model.read_bytes())
    write_manifest(msgspec.structs.replace(manifest, version="broken", sha256=sha256, lineage=None), path)
    return path


def frozen(bench: Bench) -> Path:
    """The gate's list: the lobby's last clips, and coco128's test half as the camera KNOWN."""
    folder = bench.out / "gate"
    folder.mkdir(exist_ok=True)
    (coco,) = (one for one in bench.detector.sets if one.name == "coco-test")
    (known,) = read_sets((coco,), ("test",), bench.data, bench.cache, bench.recipe.channels)
    sets = {
        CAMERA: [
            (_jpeg(shot, folder), shot.people, [PERSON] * len(shot.people))
            for clip in bench.clips(LAST)
            for shot in clip[::4]
        ],
        KNOWN: [
            (one.path, one.xyxy, [list(bench.recipe.labels)[label] for label in sample_labels(one, bench.recipe)])
            for one in known.samples
        ],
    }
    entries = []
    for camera, pictures in sets.items():
        path = folder / f"{camera}.json"
        path.write_bytes(_as_set(camera, pictures, list(bench.recipe.labels)))
        entry = SetEntry(name=camera, annotations=str(path.resolve()), pictures="/")
        entries.append(msgspec.structs.replace(entry, sha256=read_set(entry, folder).frozen.sha256))
    listed = folder / "gate.yaml"
    listed.write_bytes(msgspec.yaml.encode({"sets": entries, "limits": {"slowdown": 3.0}}))
    return listed


def _jpeg(shot: Shot, folder: Path) -> Path:
    """The frame as the stream has it: the gate looks at nothing else."""
    path = folder / f"{shot.clip}-{shot.index}.jpg"
    path.write_bytes(jpeg_of(read_picture(shot.path)))
    return path


def _as_set(camera: str, pictures: Sequence[tuple[Path, Any, list[str]]], labels: list[str]) -> bytes:
    """COCO's JSON of pictures with boxes xyxy [N,4] and their labels."""
    images, annotations = [], []
    for number, (path, boxes, names) in enumerate(pictures, 1):
        height, width = read_picture(path).shape[:2]
        name = str(path.resolve()).lstrip("/")
        images.append({"id": number, "file_name": name, "width": width, "height": height, "camera": camera})
        for (x1, y1, x2, y2), label in zip(np.asarray(boxes).tolist(), names, strict=True):
            more = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": labels.index(label) + 1} | more
            )
    categories = [{"id": number, "name": label} for number, label in enumerate(labels, 1)]
    return msgspec.json.encode({"images": images, "annotations": annotations, "categories": categories})
