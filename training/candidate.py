"""A fine-tuned network as a candidate for the gate: ONNX that says what torch says, and a manifest with its lineage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from archive.collection.items import About
from contracts.manifest import (
    LEARNT,
    DataReference,
    Lineage,
    ModelManifest,
    Provenance,
    Words,
    load_manifest,
)
from training.appearance import load_appearance
from training.bundle import PARITY_PICTURES, check_parity, spread, thresholds_of, write_manifest
from training.dataset import DataSet
from training.export import Exported, export_detector
from training.network import DetectorNet
from training.recipe import DetectorRecipe
from training.staged import staged


class MadeOf(NamedTuple):
    """What of a collection a candidate learnt: the version, the SHA-256 of the pictures, and what was said of them."""

    about: About
    pictures: tuple[str, ...]
    words: tuple[Words, ...]


def listed(pictures: Sequence[str]) -> tuple[str, DataReference]:
    """The list of the pictures (SHA-256) that a version learnt, as it lies beside it, and how its lineage names it."""
    text = "".join(f"{one}\n" for one in pictures)
    return text, DataReference(name=LEARNT, sha256=hashlib.sha256(text.encode()).hexdigest())


def version_of(before: str, number: int, sha256: str) -> str:
    """The version of a model with this file that was made of a collection's version: no two files have the same."""
    return f"{before.partition('-')[0]}-{number}.{sha256[:8]}"


def write_candidate(
    net: DetectorNet,
    recipe: DetectorRecipe,
    parent_file: Path,
    made_of: MadeOf,
    validate: Sequence[DataSet],
    folder: Path,
) -> ModelManifest:
    """Write `<name>.onnx`, `.learnt` and `.json` to `folder`; ModelError, and no file, when ONNX and torch disagree.

    The start's appearance head stays: the stages that it reads have kept their weights. Thresholds are calibrated anew
    on the `validate` sets. The version is the start's, the collection's number and the file's digest.
    """
    parent = load_manifest(parent_file)
    head = load_appearance(parent_file.parent / parent.file, net) if parent.embedding else None
    pictures = spread(list(validate), PARITY_PICTURES // 4, recipe.size)
    with staged(folder) as made:
        path = made / f"{parent.name}.onnx"
        export_detector(net, recipe.groups, recipe.size, path, head, recipe.nms_iou)
        check_parity(Exported(net, recipe.groups, recipe.nms_iou).eval(), head, path, pictures)
        learnt, reference = listed(made_of.pictures)
        path.with_suffix(".learnt").write_text(learnt)
        thresholds = parent.thresholds | thresholds_of(path, validate, recipe)
        manifest = _manifest(parent, recipe, path, thresholds, made_of, reference)
        write_manifest(manifest, made / f"{parent.name}.json")
    return manifest


def _manifest(
    parent: ModelManifest,
    recipe: DetectorRecipe,
    path: Path,
    thresholds: dict[str, float],
    made_of: MadeOf,
    learnt: DataReference,
) -> ModelManifest:
    about, digest = made_of.about, hashlib.sha256(path.read_bytes()).hexdigest()
    return msgspec.structs.replace(
        parent,
        version=version_of(parent.version, about.number, digest),
        file=path.name,
        sha256=digest,
        thresholds=thresholds,
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
            data=(DataReference(name="collection", sha256=about.id), learnt),
            recipe_sha256=hashlib.sha256(msgspec.json.encode(recipe)).hexdigest(),
            words=made_of.words,
        ),
    )
