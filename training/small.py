"""A small model out of a candidate: a distilled student, pruned, in 8 bits. Each step is optional, and measured.

A branch and what it reads are taught together: see student.py. What comes out is a candidate of its own, whose parent
is the one of full precision: trainings begin with that, and the gate judges this.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from contracts.manifest import Lineage, ModelManifest
from training.blends import answers_met, known_ap50
from training.bundle import CALIBRATION_PICTURES, PARITY_PICTURES, check_parity, spread, thresholds_of, write_manifest
from training.dataset import DataSet, Picture
from training.evaluate import evaluate_set
from training.export import Exported, export_detector
from training.network import DetectorNet, open_detector
from training.place import Place, first_alone
from training.predict import OUTPUTS, ExportedDetector
from training.quantise import quantise
from training.recipe import Count, DetectorRecipe, Fraction, LossConfig, ScheduleConfig, smaller_by
from training.staged import staged
from training.student import StudentRecipe, head_of, taught

TIMED_PICTURES = 40


class Distil(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The student: the parts that learn, those with a hinge for SiLU, and how long; `features` weighs the stages' loss.

    What doesn't learn stays the candidate's.
    """

    learns: tuple[str, ...] = ("backbone", "neck", "heads", "branches")
    hinged: tuple[str, ...] = ("backbone", "neck", "heads", "branches")
    features: float = 10.0
    schedule: ScheduleConfig

    def __post_init__(self) -> None:
        if wrong := [part for part in self.hinged if not part.startswith(self.learns)]:
            raise ValueError(f"hinges in {', '.join(wrong)}, which don't learn")


class Quantise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """8 bits, calibrated on so many pictures of the site and the replay, but for the parts that `floats` names."""

    pictures: Count = CALIBRATION_PICTURES
    floats: tuple[str, ...] = ()


class Small(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a candidate is made small. `prune` is the share of channels that is taken out before the student learns."""

    distil: Distil | None = None
    prune: Fraction = 0.0
    quantise: Quantise | None = None

    def __post_init__(self) -> None:
        if self.prune and self.distil is None:
            raise ValueError("`prune` needs `distil`, which heals it")
        if not self.steps:
            raise ValueError("no hinges in `distil`, no `prune` and no `quantise`: nothing becomes smaller")

    @property
    def steps(self) -> tuple[str, ...]:
        """What is done, in words, as the lineage says it."""
        hinged = self.distil is not None and len(self.distil.hinged) > 0
        return smaller_by(hinged=hinged, pruned=self.prune, int8=self.quantise is not None)


class Lessons(NamedTuple):
    """The pictures that it learns from and is calibrated on, the replay that says what is lost, the site's answers."""

    train: tuple[DataSet, ...]
    validate: tuple[DataSet, ...]
    held: DataSet


@dataclass(frozen=True)
class Made:
    """What came of a step: as training.blends.Tried, and what it costs on one core of this machine."""

    step: str
    replay: dict[str, float]
    site: float
    ms: float
    size_bytes: int


def make_small(
    how: Small, name: str, candidate: Path, recipe: DetectorRecipe, lessons: Lessons, place: Place, out: Path
) -> Path:
    """Write the small model of this name to `out`; returns its manifest. Goes on where it was stopped.

    Raises ModelError where ONNX and torch disagree.
    """
    out.mkdir(parents=True, exist_ok=True)
    with first_alone(place):  # it has written the candidate
        full, teacher = open_detector(candidate)
    written, whole = out / f"{name}.json", candidate.parent / full.file
    files = {"full precision": whole}
    if how.distil is not None:
        student = student_recipe(how, how.distil, name, full, recipe)
        net = taught(teacher.requires_grad_(False), student, lessons.train, place, out)
        if place.rank == 0:
            files |= _exported(net, teacher.cpu(), whole, full, student, lessons, out)
    if place.rank == 0:
        if how.quantise is not None:
            frames = spread(lessons.train, how.quantise.pictures, recipe.size)
            quantise([*files.values()][-1], frames, out / "8-bits.onnx", how.quantise.floats)
            files["8 bits"] = out / "8-bits.onnx"
        with staged(out) as beside:
            (beside / f"{name}.learnt").write_bytes(candidate.with_suffix(".learnt").read_bytes())
            _write(how, full, files, recipe, lessons, beside / written.name)
    return written


def student_recipe(how: Small, distil: Distil, name: str, full: ModelManifest, recipe: DetectorRecipe) -> StudentRecipe:
    """The recipe of a student that sees what the candidate was trained on."""
    values = {field: getattr(recipe, field) for field in DetectorRecipe.__struct_fields__}
    values |= {"name": name, "start": full.id, "freeze": (), "branch": (), "windows": 0, "loss": LossConfig()}
    values |= {name: getattr(distil, name) for name in Distil.__struct_fields__}
    return StudentRecipe(**values, pruned=how.prune)


def _exported(
    net: DetectorNet,
    teacher: DetectorNet,
    whole: Path,
    full: ModelManifest,
    student: StudentRecipe,
    lessons: Lessons,
    out: Path,
) -> dict[str, Path]:
    """The student as a file, with an appearance head of its own where its teacher (`whole`) has one."""
    path = out / "distilled.onnx"
    head = head_of(net, teacher, whole, student, lessons.train) if full.embedding else None
    export_detector(net, student.groups, student.size, path, head, student.nms_iou)
    pictures = spread(lessons.validate, PARITY_PICTURES // 4, student.size)
    check_parity(Exported(net, student.groups, student.nms_iou).eval(), head, path, pictures)
    return {"distilled and pruned" if student.pruned else "distilled": path}


def _write(
    how: Small, full: ModelManifest, files: dict[str, Path], recipe: DetectorRecipe, lessons: Lessons, written: Path
) -> None:
    """The last step's file as the model, with its manifest, its card, and what came of each step (`.steps`)."""
    path = written.with_suffix(".onnx")
    path.write_bytes([*files.values()][-1].read_bytes())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = msgspec.structs.replace(
        full,
        name=written.stem,
        version=f"{full.version.rpartition('.')[0]}.{digest[:8]}",
        file=path.name,
        sha256=digest,
        thresholds=full.thresholds | thresholds_of(path, lessons.validate, recipe),
        provenance=msgspec.structs.replace(full.provenance, trained_from=full.id),
        lineage=msgspec.structs.replace(full.lineage or Lineage(), parent=full.id, smaller_by=how.steps),
    )
    made = measured(files, lessons, recipe)
    written.with_suffix(".steps").write_bytes(msgspec.json.format(msgspec.json.encode(made)))
    written.with_suffix(".md").write_text(card(manifest, made))
    write_manifest(manifest, written)


def measured(files: dict[str, Path], lessons: Lessons, recipe: DetectorRecipe) -> list[Made]:
    """What came of each step, all held against the same pictures."""
    times_ms = _times_ms([*files.values()], spread(lessons.validate, TIMED_PICTURES, recipe.size))
    made = []
    for (step, path), ms in zip(files.items(), times_ms, strict=True):
        detector = ExportedDetector(path)
        found = (evaluate_set(detector, one, recipe) for one in lessons.validate)
        replay = {one.name: known_ap50(one, recipe) for one in found}
        made.append(Made(step, replay, answers_met(detector, lessons.held, recipe), ms, path.stat().st_size))
    return made


def _times_ms(files: Sequence[Path], pictures: Sequence[Picture]) -> list[float]:
    """Each file's median time a picture on one core; they look in turn, as other work slows all of them alike."""
    detectors = [ExportedDetector(file) for file in files]
    spent: list[list[float]] = [[] for _ in files]
    for picture in pictures:
        for detector, own in zip(detectors, spent, strict=True):
            began = time.perf_counter()
            detector.session.run(OUTPUTS, {"images": picture[None]})
            own.append(1000 * (time.perf_counter() - began))
    return [float(np.median(own)) for own in spent]


def card(manifest: ModelManifest, made: Sequence[Made]) -> str:
    """What a person reads of it in the registry."""
    lineage = manifest.lineage or Lineage()
    names = [*made[0].replay]
    lines = [
        f"# {manifest.id}",
        "",
        f"{lineage.parent}, made small: {', '.join(lineage.smaller_by)}. Trainings begin with that in its place.",
        "",
        f"| | {' | '.join(f'AP50 {name}' for name in names)} | site's answers met | ms a picture | bytes |",
        f"|---|{'---|' * (len(names) + 3)}",
    ]
    for one in made:
        figures = " | ".join(f"{value:.3f}" for value in (*one.replay.values(), one.site))
        lines.append(f"| {one.step} | {figures} | {one.ms:.1f} | {one.size_bytes:,} |")
    return "\n".join(lines) + "\n"
