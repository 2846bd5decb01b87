"""The recipe of a classifier: which network and weights, what it looks at, which schedules, what counts against it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from archive.collection.attributes import Wanted
from contracts.errors import ConfigError
from contracts.manifest import Attribute
from training.recipe import AugmentConfig, Count, Fraction, ScheduleConfig
from training.yaml_file import read_yaml

Floats3 = tuple[float, float, float]
CROPS = "crops"
"""Where in the folder of a training on answers the site's pictures are, cut out, as long as it runs."""


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ImageNet CNN of torchvision or timm, and where its weights come from.

    `weights` is `hub` (the library's own, downloaded), `none`, or a file under `--data`: a state dict with the
    library's names, or with others in the same order; without batch norms it is loaded into the folded network; the
    `weights.pt` of an earlier run goes on from there. Pictures are RGB minus `mean` over `std` (of 0-255).
    """

    library: Literal["torchvision", "timm"] = "torchvision"
    name: str
    weights: str = "hub"
    size: Count = 224
    mean: Floats3 = (123.675, 116.28, 103.53)
    std: Floats3 = (58.395, 57.12, 57.375)


class HeadConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first stage: a linear layer on the frozen backbone's features of `views` looks at each picture.

    The first look is the picture as it is. Of each `l2` (a penalty on the layer's weights) one layer is fitted; the one
    that says least wrong of the pictures held out is taken.
    """

    views: Count = 4
    l2: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0)
    most_iterations: Count = 200


class TuneConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The second stage: the whole network, but for parameters whose names begin as in `freeze`.

    Every `validate_every` steps the loss on the pictures held out is taken; after `patience` times without a better
    one the stage ends, and the best weights count.
    """

    schedule: ScheduleConfig
    freeze: tuple[str, ...] = ()
    validate_every: Count = 20
    patience: Count = 4


class ViewConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One look at a training picture: a window of `area` of it and of a shape up to `shape`, mirrored, spoilt."""

    area: tuple[float, float] = (0.5, 1.0)
    shape: float = 1.25
    flip: Fraction = 0.5
    faults: AugmentConfig = AugmentConfig(low_resolution=0.1, night=0.05, blur=0.05, noise=0.05, jpeg=0.15)


class AttributeConfig(Attribute, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The attribute as it goes into the manifest (its temperature is measured)."""


class ReplayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pictures of before (a folder or index under `--data`) that make up `share` of what is learnt."""

    pictures: str
    share: Fraction = 0.3


class AnswersConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a collection is learnt: `drawn` says which labels that people drew mean which value.

    What was not said of this very box counts `unsure`; of each value there must be `least` crops.
    """

    drawn: dict[str, str] = {}
    unsure: Fraction = 0.5
    least: Count = 20


class ClassifierRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides a classifier's weights, but for the data's bytes.

    `labels` are the classes in the model's order (empty: the folders' names in alphabetical order). `hold_out` of the
    training pictures, near duplicates together, decide when to stop and the temperature, where the data has no part
    `validate`; `measure` of them are for measuring only, where it has no other part at all. `tune` may be left out:
    the backbone stays as it is. From `threshold` on, the mean probability of a track's looks is believed.
    """

    name: str
    version: str
    network: NetworkConfig
    attribute: AttributeConfig | None = None
    labels: tuple[str, ...] = ()
    seed: int = 1
    hold_out: Fraction = 0.15
    measure: Fraction = 0.2
    class_weights: Literal["balanced", "none"] = "balanced"
    view: ViewConfig = ViewConfig()
    head: HeadConfig = HeadConfig()
    tune: TuneConfig | None = None
    replay: ReplayConfig | None = None
    answers: AnswersConfig = AnswersConfig()
    threshold: Fraction = 0.7
    threads: Count = 2
    licence: str = "Apache-2.0"
    data_note: str = ""


def load_classifier_recipe(path: Path) -> ClassifierRecipe:
    """Read a recipe; ConfigError says which key of it is wrong."""
    recipe = read_yaml(path, ClassifierRecipe)
    if len(set(recipe.labels)) != len(recipe.labels):
        raise ConfigError("labels", "a label is there twice")
    if not 0 < recipe.view.area[0] <= recipe.view.area[1] <= 1:
        raise ConfigError("view.area", "is no range within 0-1")
    return recipe


def wanted_of(recipe: ClassifierRecipe) -> Wanted:
    """What to look for in answers; raises ConfigError where the recipe names no attribute or labels."""
    if recipe.attribute is None or not recipe.labels:
        raise ConfigError(
            "attribute", "and `labels` are needed to learn from answers: they say whose values to look for"
        )
    return Wanted(recipe.attribute.name, recipe.labels, recipe.attribute.boxes, recipe.answers.drawn)
