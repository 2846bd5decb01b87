"""A smaller detector out of a bundled one: its start, its lessons from every stage, no labels needed.

The student has the teacher's layers with a cheaper activation in the parts that the recipe names. What of it doesn't
learn stays the teacher's to the bit. The rest starts as the teacher's, brought in line layer by layer in closed form
(matching.py). Then all stages are held to the teacher's on the same pictures at once (FitNets, arXiv:1412.6550; blocks
as in BRECQ, arXiv:2102.05426), and so are scores and boxes, a branch's too.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from contracts.errors import ConfigError
from training import checkpoint
from training.appearance import AppearanceNet, backbone_key, load_appearance
from training.batches import TrainingPictures, collate
from training.bundle import spread
from training.dataset import DataSet, list_skipped, read_sets
from training.detector import load_start, save_weights
from training.fit import Task, fit
from training.loss import Targets, distillation_loss
from training.matching import match
from training.network import DetectorNet, hinge, open_detector
from training.place import Place, find_place, first_alone, leave
from training.predict import ExportedDetector
from training.pruning import prune
from training.recipe import Count, DetectorRecipe, Fraction
from training.student_head import adapted

NAME = "student"
"""Of the run's checkpoint and log."""

# Where the student is held to the teacher: what leaves the backbone's and the neck's stages, and the heads' towers.
STAGES = (
    *("backbone.stem", "backbone.dark2", "backbone.dark3", "backbone.dark4", "backbone.dark5"),
    *("neck.top4", "neck.top3", "neck.bottom4", "neck.bottom5"),
    *(f"heads.{level}.{part}" for level in range(3) for part in ("stem", "class_tower", "box_tower")),
)
BRANCH_STAGE = re.compile(
    r"branches\.\d+\.(corrections\.\d+\.tower"
    r"|reading\.(neck\.(top4|top3|bottom4|bottom5)|heads\.\d+\.(stem|class_tower|box_tower)))"
)
# A channel that hardly varies would else weigh as much as one that says something: of the stage's mean variance.
LEAST_VARIANCE = 0.05


class StudentRecipe(DetectorRecipe, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A detector's recipe whose start is the manifest's model; `features` weighs the stages' loss.

    Parts whose names begin with one of `learns` learn, and all others stay as the teacher's are.

    The start is brought in line on `matching_pictures`, and the share `pruned` of its inner channels is taken out (see
    pruning.py); the appearance head is fitted on `head_pictures`.
    `earlier` is the `weights.pt` of such a run, relative to `--data`, that this one goes on from instead.
    """

    learns: tuple[str, ...] = ("backbone", "neck", "heads", "branches")
    features: float = 10.0
    matching_pictures: Count = 16
    head_pictures: Count = 400
    pruned: Fraction = 0.0
    earlier: str = ""


def train_student(recipe: StudentRecipe, manifest_file: Path, data: Path, out: Path) -> Path:
    """Train to the recipe's last step and write `out/weights.pt`; goes on from where an earlier run was stopped.

    With a teacher that has an appearance head `out/appearance.pt` too. Raises ConfigError where the recipe's labels are
    not the model's, or the data is not there.
    """
    place = find_place()
    torch.set_num_threads(recipe.schedule.threads)
    torch.manual_seed(recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    parent, teacher = open_detector(manifest_file)
    teacher.requires_grad_(False)
    if tuple(recipe.labels) != parent.labels:
        raise ConfigError("labels", f"the recipe's are {tuple(recipe.labels)}, those of {parent.id} {parent.labels}")
    recipe = msgspec.structs.replace(recipe, start=parent.id, size=parent.input.width)
    with first_alone(place):
        sets = read_sets(recipe.sets, ("train",), data, out / "cache", recipe.channels)
        print(f"training pictures: {sum(len(one.samples) for one in sets)}; skipped {list_skipped(sets, out)}")
    earlier = load_start(data / recipe.earlier, recipe) if recipe.earlier else None
    student = taught(teacher, recipe, sets, place, out, earlier)
    if place.rank == 0:
        save_weights(student, recipe, out / "weights.pt")
        if parent.embedding:
            head = head_of(student, teacher.cpu(), manifest_file.parent / parent.file, recipe, sets)
            checkpoint.save({"net": head.state_dict(), "backbone": backbone_key(student)}, out / "appearance.pt")
    leave(place)
    return out / "weights.pt"


def taught(
    teacher: DetectorNet,
    recipe: StudentRecipe,
    sets: Sequence[DataSet],
    place: Place,
    out: Path,
    earlier: DetectorNet | None = None,
) -> DetectorNet:
    """The student after the recipe's last step, from an earlier one or the teacher itself; goes on as `fit` does."""
    pictures = TrainingPictures(sets, recipe, recipe.schedule.steps * recipe.schedule.batch * place.world)
    student = earlier if earlier is not None else start_student(teacher, recipe, pictures)
    teacher.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    lesson = Lesson(teacher, recipe)
    still = tuple(name for name, _ in student.named_parameters() if not name.startswith(recipe.learns))
    if len(still) == len([*student.parameters()]):
        raise ConfigError("learns", f"{recipe.start} has no {', '.join(recipe.learns)}")
    task = Task(NAME, msgspec.json.encode(recipe), pictures, lesson, recipe.schedule, still, collate, True)
    learnt = fit(student, task, place, out).cpu()
    assert isinstance(learnt, DetectorNet)
    return learnt


def head_of(
    student: DetectorNet, teacher: DetectorNet, file: Path, recipe: StudentRecipe, sets: Sequence[DataSet]
) -> AppearanceNet:
    """The appearance head of the teacher, which `file` holds, for the student."""
    pictures = spread(tuple(sets), recipe.head_pictures, recipe.size)
    return adapted(load_appearance(file, teacher), (teacher, ExportedDetector(file)), student, pictures)


def start_student(teacher: DetectorNet, recipe: StudentRecipe, pictures: TrainingPictures) -> DetectorNet:
    """The teacher with hinges, brought in line with it on the first pictures, and pruned."""
    student = copy.deepcopy(teacher)
    hinge(student, recipe.hinged)
    count = min(recipe.matching_pictures, len(pictures))
    first = torch.stack([pictures[index][0] for index in range(count)]).float()
    match(student, teacher, first, recipe.learns)
    if recipe.pruned:
        prune(student, recipe.pruned, first, recipe.learns)
    return student


class Lesson:
    """The parts of the loss of pictures uint8[N,3,S,S] held to the teacher's stages and answers."""

    def __init__(self, teacher: DetectorNet, recipe: StudentRecipe) -> None:
        self._teacher = teacher
        self._recipe = recipe
        # Where only branches learn, the network's own answers are the teacher's.
        self._first = int(all(part.startswith("branches") for part in recipe.learns))

    def __call__(self, model: nn.Module, batch: tuple[Tensor, list[Targets]]) -> dict[str, Tensor]:
        """See the class."""
        pictures = batch[0].float().contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            wanted, shown = with_stages(self._teacher, pictures)
        answers, stages = with_stages(model, pictures)
        learnt = [name for name in shown if name.startswith(self._recipe.learns)]
        apart = torch.stack([distance(stages[name], shown[name]) for name in learnt])
        pairs = [*zip(answers, wanted, strict=True)][self._first :]
        distilled = [distillation_loss(*pair, self._recipe.loss) for pair in pairs]
        return {"features": apart.mean() * self._recipe.features, "distil": torch.stack(distilled).sum()}


def with_stages(model: nn.Module, pictures: Tensor) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """The network's predictions and those of its branches, and what left each of STAGES and the branches' own."""
    found: dict[str, Any] = {}

    def keep(name: str) -> None:
        def hook(_module: nn.Module, _inputs: object, output: Any) -> None:
            found[name] = output

        handles.append(modules[name].register_forward_hook(hook))

    modules = {name.removeprefix("module."): module for name, module in model.named_modules()}  # torchrun's wrapper
    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name in (*STAGES, *(name for name in modules if BRANCH_STAGE.fullmatch(name)), "branches"):
        keep(name)
    predicted: Tensor = model(pictures)
    for handle in handles:
        handle.remove()
    return (predicted, *found.pop("branches")), found


def distance(ours: Tensor, theirs: Tensor) -> Tensor:
    """The squared error of a stage [N,C,h,w] in parts of each channel's variance, a mean over the channels."""
    variance = theirs.var((0, 2, 3))
    return ((ours - theirs).square().mean((0, 2, 3)) / (variance + LEAST_VARIANCE * variance.mean() + 1e-8)).mean()
