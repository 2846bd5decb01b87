"""Second-stage classifiers: attributes of what the detector finds, that rules can ask for."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from contracts.config.base import NonNegative, Spec

Attribute = Annotated[
    str, Meta(pattern=r"^[a-z](?:[a-z0-9_]{0,62}[a-z0-9])?$(?!\n)", description="a name like hard_hat")
]


class Classifier(Spec, frozen=True, kw_only=True):
    """One classifier, under the name of its attribute. `manifest` is a path, relative to this file.

    It looks at boxes of the labels in `boxes` (default: as its manifest says), on full-size frames, at `most` of a
    frame: the largest, and the others by turns. `margin` widens what is seen of a box, as a share of its side (default:
    the manifest's). Where it is not `enabled` here, cameras may be.
    """

    manifest: str
    enabled: bool = True
    boxes: tuple[str, ...] = ()
    margin: Annotated[float, Meta(ge=0, le=1)] | None = None
    most: Annotated[int, Meta(ge=1, le=64)] = 6
    memory_s: NonNegative = 20.0


class CameraClassifier(Spec, frozen=True, kw_only=True):
    """Whether a camera uses a classifier (null: as the file says for all)."""

    enabled: bool | None = None
