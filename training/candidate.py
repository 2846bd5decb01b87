"""A fine-tuned network as a candidate for the gate: ONNX that says what torch says, and a manifest with its lineage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from archive.collection.items import About
from contracts.manifest import DataReference, Lineage, ModelManifest, Provenance, load_manifest
from training.appearance import load_appearance
from training.bundle import PARITY_PICTURES, check_parity, spread, thresholds_of, write_manifest
from training.dataset import DataSet
from training.export import Exported, export_detector
from training.network import DetectorNet
from training.recipe import DetectorRecipe


def write_candidate(
    net: DetectorNet, recipe: DetectorRecipe, parent_file: Path, about: About, validate: Sequence[DataSet], folder: Path
) -> ModelManifest:
    """Write `<name>.onnx` and `<name>.json` to `folder`; raises ModelError when ONNX and torch disagree.

    The start's appearance head stays: the stages that it reads have kept their weights. Thresholds are calibrated anew
    on the `validate` sets. The version is the start's, the collection's number and the file's digest.
    """
    parent = load_manifest(parent_file)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{parent.name}.onnx"
    head = load_appearance(parent_file.parent / parent.file, net) if parent.embedding else None
    export_detector(net, recipe.groups, recipe.size, path, head, recipe.nms_iou)
    pictures = spread(list(validate), PARITY_PICTURES // 4, recipe.size)
    check_parity(Exported(net, recipe.groups, recipe.nms_iou).eval(), head, path, pictures)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = msgspec.structs.replace(
        parent,
        version=f"{parent.version.partition('-')[0]}-{about.number}.{digest[:8]}",
        file=path.name,
        sha256=digest,
        thresholds=parent.thresholds | thresholds_of(path, validate, recipe),
        metrics={},
        signature=None,
        provenance=Provenance(
            licence=parent.provenance.licence,
            trained_from=parent.id,
            data=f"the site's collection {about.id[:12]}; replay: {recipe.data_note}",
            recipe="training/recipes/finetune.yaml",
        ),
        lineage=Lineage(
            parent=parent.id,
            data=(DataReference(name="collection", sha256=about.id),),
            recipe_sha256=hashlib.sha256(msgspec.json.encode(recipe)).hexdigest(),
        ),
    )
    write_manifest(manifest, folder / f"{parent.name}.json")
    return manifest
