"""Faces: which cameras identify people, and how the site does it. Off everywhere until a camera says for what."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from contracts.config.base import Fraction, Positive, Spec


class CameraFaces(Spec, frozen=True, kw_only=True):
    """Whether a camera says who people are, and for which purpose (one is needed: it stands in the audit).

    `anonymise` blurs every face that is on no watch-list before a frame is shown or kept.
    """

    identify: bool = False
    purpose: Annotated[str, Meta(max_length=500)] = ""
    anonymise: bool = False


class Unknowns(Spec, frozen=True, kw_only=True):
    """People whom nobody enrolled: what is remembered of them under a pseudonym.

    `wanted_rate` is the share of strangers who may be taken for somebody who was here before; a track that shows less
    of a face than `min_strength` gets no pseudonym; who is seen again after `visit_gap_s` has come again.
    """

    wanted_rate: Annotated[float, Meta(gt=0, le=0.5)] = 0.01
    min_strength: Fraction = 0.5
    visit_gap_s: Positive = 300.0
    max_people: Annotated[int, Meta(ge=1, le=100_000)] = 2000


class KeptClass(Spec, frozen=True, kw_only=True):
    """How many days something of a class of people is kept; what isn't said is kept as of everybody.

    `seen_days`: the sightings that are searched back in time (never longer than `faces.keep_days`, after which nothing
    that was seen of any face can be read: until then alerts and the topics keep it, sealed); `evidence_days`: pictures
    and clips of alerts about them, instead of `evidence.keep_days`.
    """

    seen_days: Positive | None = None
    evidence_days: Positive | None = None


class KeptGroup(KeptClass, frozen=True, kw_only=True):
    """The same of a group of enrolled people, who are removed `enrolled_days` after they were enrolled."""

    enrolled_days: Positive | None = None


class FaceRetention(Spec, frozen=True, kw_only=True):
    """What is kept of enrolled people by their `groups`, and of `unknown` ones: all who were not identified."""

    groups: dict[Annotated[str, Meta(min_length=1, max_length=100)], KeptGroup] = {}
    unknown: KeptClass = KeptClass()

    def of(self, group: str | None) -> KeptClass:
        """Of somebody enrolled in that group ("" for none), or of somebody who was not identified (None)."""
        return self.unknown if group is None else self.groups.get(group, KeptGroup())


class Faces(Spec, frozen=True, kw_only=True):
    """How people are identified at this site.

    `wanted_rate` is the share of strangers' tracks that may be given a name, over the whole gallery. At
    most `most` heads of a full-size frame are looked at: the largest, and the others by turns. What cameras saw of
    faces can be read for `keep_days`: then the key of its day is thrown away. Cameras that anonymise show the faces of
    the groups in `watch_lists` only. `retention` says otherwise for classes of people. `localiser` and `embedder` are
    manifests' paths (default: the bundled ones).
    """

    wanted_rate: Annotated[float, Meta(gt=0, le=0.5)] = 0.01
    most: Annotated[int, Meta(ge=1, le=64)] = 6
    keep_days: Positive = 30.0
    watch_lists: tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...] = ()
    localiser: str = ""
    embedder: str = ""
    retention: FaceRetention = FaceRetention()
    unknowns: Unknowns = Unknowns()
