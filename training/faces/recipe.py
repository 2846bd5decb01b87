"""The recipes of the face models: which faces with which split of the people, which start, which schedule."""

from __future__ import annotations

from typing import Literal

import msgspec

from training.recipe import AugmentConfig, Count, Fraction, LossConfig, ScheduleConfig, SetConfig


class PeopleConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Aligned faces (ImageFolder: one folder a person) and who of them is for what.

    A person's part follows from the name alone: SHA-256 of `seed/name` as a fraction below `test`, then below
    `test + validate`, else training. So the split is written down here, and new people don't move the others.
    `unused` names people who are in other test sets.
    """

    pictures: str
    seed: int = 1
    test: Fraction = 0.35
    validate: Fraction = 0.1
    unused: tuple[str, ...] = ()


class DegradeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an aligned face is made to look as a camera far away saw it; shares are probabilities.

    `clean` stay as they are. `shrink` are the least and the largest side in pixels to which the 112 are shrunk (evenly
    over the logarithm); `shift` (pixels of 112), `turn` (degrees) and `zoom` (a share) are the errors of the points
    that a face is aligned by. `faults` are those of light, lens, sensor and coder before the face is shrunk.
    """

    clean: Fraction = 0.15
    shrink: tuple[int, int] = (14, 64)
    shrink_share: Fraction = 0.8
    quality: tuple[int, int] = (30, 90)
    compress_share: Fraction = 0.8
    blur_share: Fraction = 0.2
    shift: float = 2.0
    turn: float = 4.0
    zoom: float = 0.04
    faults: AugmentConfig = AugmentConfig(low_resolution=0.0, night=0.12, colour=0.5, jpeg=0.15, grey=0.05)


class EmbedderRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides the embedder's weights, but for the data's bytes.

    `start` is the public network that is both start and teacher. The loss is `distil` times the distance of a
    degraded face's vector to the teacher's vector of the clean one, plus `people` times CosFace (arXiv:1801.09414;
    `scale`, `margin`) over the training people, whose centres are the teacher's. `freeze` are prefixes of parameters
    that keep the start's values. The result is `blend` of the trained weights and the rest of the start's
    (arXiv:2109.01903), behind which the metric is fitted to the clean training faces and `metric_views` poor looks at
    each. `quality` is the schedule of the quality head, which learns last, on the frozen network.
    """

    name: str
    version: str
    seed: int = 1
    start: str
    people: PeopleConfig
    degrade: DegradeConfig = DegradeConfig()
    distil: float = 1.0
    identity: float = 0.1
    scale: float = 32.0
    margin: float = 0.2
    freeze: tuple[str, ...] = ()
    schedule: ScheduleConfig
    blend: Fraction = 1.0
    metric_views: Count = 2
    quality: ScheduleConfig
    licence: str = "Apache-2.0"
    data_note: str = ""


class FaceTeacherConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public face detector (ONNX under `--data`) whose boxes label the pictures."""

    weights: str
    kind: Literal["yunet", "ultraface"]
    weight: float = 1.0


class HeadsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the localiser's training windows look like; shares are probabilities.

    `window` is a window's side in pixels; the face that it is about is `face` pixels high (evenly over the
    logarithm, enlarged by no more than `enlarge`). `empty` windows show a place without a face, `aligned` ones an
    aligned face of the training people. `shrink` is how often the window is made of fewer pixels, so that its face is
    `shrunk_face` pixels high at least, then enlarged again.
    """

    window: Count = 160
    face: tuple[float, float] = (14.0, 140.0)
    enlarge: float = 2.0
    empty: Fraction = 0.2
    aligned: Fraction = 0.25
    shrink: Fraction = 0.35
    shrunk_face: float = 10.0
    quality: tuple[int, int] = (30, 90)
    turn: float = 10.0
    flip: Fraction = 0.5
    faults: AugmentConfig = AugmentConfig(low_resolution=0.0)


class LocaliserRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides the localiser's weights, but for the data's bytes.

    `size` is the side of a head's picture in the product. Fused boxes of the teachers surer than `sure` are learnt,
    those above `unsure` neither learnt nor punished. `least_points` is the height in pixels from which YuNet's five
    points are believed. `loss` weighs the parts of the detector's loss, `points` that of the five points; `distil`
    within `loss` pulls what is said of a spoilt window towards what the start says of the clean one. `false_boxes` is
    how many a picture the threshold may let through on the validation sets. `one_person` names the sets whose pictures
    are of one person each: others in the background need not be found. `blend` is how much of the trained weights goes
    into the result, the rest being the start's (arXiv:2109.01903).
    """

    name: str
    version: str
    seed: int = 1
    size: Count = 128
    start: str
    sets: tuple[SetConfig, ...]
    people: PeopleConfig
    teachers: tuple[FaceTeacherConfig, ...]
    sure: Fraction = 0.7
    unsure: Fraction = 0.2
    least_points: float = 18.0
    heads: HeadsConfig = HeadsConfig()
    loss: LossConfig = LossConfig()
    points: float = 5.0
    schedule: ScheduleConfig
    false_boxes: Fraction = 0.01
    one_person: tuple[str, ...] = ()
    blend: Fraction = 1.0
    licence: str = "BSD-3-Clause"
    data_note: str = ""
