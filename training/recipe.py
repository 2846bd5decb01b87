"""The recipe of a training run: a YAML file that says which data with which splits, which start, which schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from contracts.errors import ConfigError
from training.yaml_file import read_yaml

Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Role = Literal["train", "validate", "test"]


class SetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One data set, or one clip of one: where it lies under `--data`, how it is read and what it may be used for.

    `names` are the set's class numbers in order (`coco` stands for the 80 of COCO); `rename` maps a name to the
    trained channel's. `knows` lists the channels that the set labels completely: what is not known is left to the
    teachers. `keep` takes pictures `start::step` of the sorted list, so that two halves of one set never meet.
    """

    name: str
    role: Role
    format: Literal["coco", "yolo", "voc", "mot", "folder", "video"]
    pictures: str
    labels: str = ""
    names: tuple[str, ...] | Literal["coco"] = ()
    rename: dict[str, str] = {}
    knows: tuple[str, ...] | Literal["all"] = "all"
    match: str = ""
    keep_start: int = 0
    keep_step: Count = 1
    weight: float = 1.0
    distil: bool = True


class TeacherConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One public detector (ONNX under `--data`) whose fused boxes label what no person has labelled."""

    weights: str
    kind: Literal["yolox", "nanodet", "person"]
    weight: float = 1.0
    zooms: tuple[float, ...] = (1.0,)


class AugmentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often (a probability each) a training picture is changed, and how far."""

    mosaic: Fraction = 0.3
    flip: Fraction = 0.5
    scale: tuple[float, float] = (0.6, 1.4)
    colour: Fraction = 0.6
    blur: Fraction = 0.1
    noise: Fraction = 0.1
    night: Fraction = 0.08
    jpeg: Fraction = 0.25
    grey: Fraction = 0.03
    occlusion: Fraction = 0.1
    recolour: Fraction = 0.15
    low_resolution: Fraction = 0.15


class ScheduleConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long and how fast; a step is one batch.

    With `cycle_steps` the learning rate rises again after so many steps (warm restarts, arXiv:1608.03983), so that a
    finished run can be lengthened by a cycle.
    """

    steps: Count
    cycle_steps: int = 0
    batch: Count = 8
    learning_rate: float = 2e-4
    final_fraction: Fraction = 0.05
    warmup_steps: int = 50
    weight_decay: float = 1e-4
    clip_norm: float = 10.0
    ema_decay: Fraction = 0.998
    checkpoint_every: Count = 50
    threads: Count = 2
    workers: int = 0


class LossConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The weights of the loss's parts; `distil` pulls the scores and boxes towards those of the starting weights.

    `others` is how much a box teaches the channels that it is not of (equalisation, arXiv:2003.05176): a thousand
    people would else teach the dog's channel one thing only, to stay quiet.
    """

    box: float = 5.0
    objectness: float = 1.0
    classes: float = 1.0
    others: float = 1.0
    distil: float = 1.0


class DetectorRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides a detector's weights, but for the data's bytes.

    `size` is the side of the model's input. Training looks at windows of `crop` pixels out of pictures scaled for
    `size`: the same objects in less time. `labels` maps each label of the finished model to the channels that are
    trained for it; the label's score is its best channel's. `freeze` names parts of the network that keep the start's
    weights. `hinged` names the parts with a hinge for SiLU. `int8` says that the bundled file is the quantised one, but
    for the parts that `floats` names. `blend` is how much of the trained weights goes into the result, the rest being
    the start's (weight interpolation, arXiv:2109.01903). With a `branch` for some labels nothing else is trained: see
    training/branch.py; with `own_neck` it reads the backbone for itself, and the schedule's learning rate is a share of
    each tensor's size (see training/fit.py). `windows` is how many pictures are made for it, which come again and again
    (0: each comes once): making them and the frozen network's look are nine tenths of a step that corrects. Of two
    boxes of a label that overlap by more than `nms_iou` the finished model gives the better one.
    """

    name: str
    version: str
    seed: int = 1
    size: Count = 416
    crop: Count = 416
    width: Count = 16
    start: str = ""
    labels: dict[str, tuple[str, ...]]
    sets: tuple[SetConfig, ...]
    teachers: tuple[TeacherConfig, ...] = ()
    teacher_sure: Fraction = 0.5
    teacher_unsure: Fraction = 0.15
    augment: AugmentConfig = AugmentConfig()
    schedule: ScheduleConfig
    loss: LossConfig = LossConfig()
    freeze: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    own_neck: bool = False
    windows: Annotated[int, msgspec.Meta(ge=0)] = 0
    hinged: tuple[str, ...] = ()
    int8: bool = False
    floats: tuple[str, ...] = ()
    blend: Fraction = 1.0
    nms_iou: Fraction = 0.65
    threshold_precision: Fraction = 0.9
    licence: str = "Apache-2.0"
    data_note: str = ""

    @property
    def channels(self) -> tuple[str, ...]:
        """The trained class channels in the head's order."""
        return tuple(channel for group in self.labels.values() for channel in group)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """For each label the indices of its channels."""
        order = self.channels
        return tuple(tuple(order.index(channel) for channel in group) for group in self.labels.values())

    @property
    def branch_channels(self) -> tuple[int, ...]:
        """The channels of the labels that have a branch."""
        return tuple(self.channels.index(channel) for label in self.branch for channel in self.labels[label])


def smaller_by(*, hinged: bool, int8: bool, pruned: float = 0.0) -> tuple[str, ...]:
    """What makes a model smaller than the one that it was made of, in words, as its lineage says it."""
    return (
        *(("hinges for SiLU",) if hinged else ()),
        *((f"{pruned:.0%} of the inner channels pruned",) if pruned else ()),
        *(("8 bits",) if int8 else ()),
    )


Recipe = TypeVar("Recipe", bound=DetectorRecipe)


def load_recipe(path: Path) -> DetectorRecipe:
    """Read a detector's recipe; ConfigError says which key of it is wrong."""
    return read_recipe(path, DetectorRecipe)


def read_recipe(path: Path, kind: type[Recipe]) -> Recipe:
    """Read a recipe of this kind; ConfigError says which key of it is wrong."""
    recipe = read_yaml(path, kind)
    for key, side in (("size", recipe.size), ("crop", recipe.crop)):
        if side % 32:
            raise ConfigError(key, f"{side} is not a multiple of 32, the coarsest stride")
    if recipe.size < 128:
        raise ConfigError("size", f"{recipe.size} is less than 128, whose 336 cells the export's 300 best are taken of")
    if len(set(recipe.channels)) != len(recipe.channels):
        raise ConfigError("labels", "a channel is in two labels")
    if unknown := set(recipe.branch) - set(recipe.labels):
        raise ConfigError("branch", f"{', '.join(sorted(unknown))}: not among the labels")
    if recipe.windows % recipe.schedule.batch:
        raise ConfigError("windows", f"{recipe.windows} is not a multiple of the batch, {recipe.schedule.batch}")
    names = [item.name for item in recipe.sets]
    if len(set(names)) != len(names):
        raise ConfigError("sets", "two sets have the same name")
    return recipe
