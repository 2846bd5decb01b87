"""Attributes of what is seen: what a second-stage classifier says of a track."""

from __future__ import annotations

import msgspec

from contracts.fields import Count, Share

KIND = "attribute:"
"""A look of a classifier has this kind, with the attribute's name behind it; its values are the labels' chances."""

UNSURE = ""
"""The value while the looks don't allow one."""


class TrackAttribute(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is said of a track: `value` of the attribute ("": not sure yet), how probable, after how many looks."""

    name: str
    value: str
    confidence: Share
    looks: Count
    model: str = ""


def pairs(attributes: tuple[TrackAttribute, ...]) -> tuple[str, ...]:
    """What is known, each as `name:value`."""
    return tuple(f"{one.name}:{one.value}" for one in attributes if one.value != UNSURE)


def words(attributes: tuple[TrackAttribute, ...]) -> str:
    """What is known, for a sentence: `hard hat: no, vest: yes`; "" where nothing is."""
    return ", ".join(f"{one.name.replace('_', ' ')}: {one.value}" for one in attributes if one.value != UNSURE)
