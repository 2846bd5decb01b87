"""Which pictures are trained on and which only measured with: what looks alike is never on both sides."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from archive.collection.items import Item

PASSAGE_MS = 60_000
"""Pictures of a camera with no longer gap between them are of one passage: the same people in the same light."""


class Moment(NamedTuple):
    """Where and when a picture was taken."""

    site: str
    camera: str
    captured_at_ms: int


class Split(NamedTuple):
    """The two sides, each in the order of time."""

    train: tuple[Item, ...]
    measure: tuple[Item, ...]


def split(items: Sequence[Item], share: float, alike: Mapping[str, str] | None = None) -> Split:
    """About `share` of the groups to measure with, never the first; what is trained on once is never measured with.

    A group is a camera's passage. `alike` joins groups: pictures (by SHA-256) with the same word in it are near
    duplicates wherever they come from.
    """
    sides: tuple[list[Item], list[Item]] = [], []
    for place, group in enumerate(groups(items, alike or {})):
        number = int.from_bytes(hashlib.sha256(group[0].sha256.encode()).digest()[:4], "big") / 2**32
        sides[place > 0 and number < share].extend(group)
    train, measure = (tuple(sorted(side, key=lambda item: (item.captured_at_ms, item.sha256))) for side in sides)
    return Split(train, measure)


def without(
    items: Sequence[Item],
    frozen: Collection[str],
    alike: Mapping[str, str] | None = None,
    moments: Mapping[str, Moment] | None = None,
) -> list[Item]:
    """The items of groups that hold none of the `frozen` pictures: what is judged with is never trained on.

    `moments` says when frozen pictures were taken, as far as that is known: one that retention took out of the
    collection keeps its passage all the same.
    """
    there = {item.sha256 for item in items}
    gone = {name: moment for name, moment in (moments or {}).items() if name not in there}
    sites = {item.site for item in items}
    kept = [item for name, moment in gone.items() for item in _taken(name, moment, sites)]
    judged = {*frozen, *gone}
    left = (group for group in groups([*items, *kept], alike or {}) if not any(one.sha256 in judged for one in group))
    return [item for group in left for item in group]


def _taken(name: str, moment: Moment, sites: Iterable[str]) -> Iterator[Item]:
    """A picture that is gone, where it stood; who says no site means each."""
    for site in [moment.site] if moment.site else sorted(sites):
        camera, at_ms = moment.camera, moment.captured_at_ms
        yield Item(sha256=name, width=1, height=1, site=site, camera=camera, captured_at_ms=at_ms, source="import")


def groups(items: Iterable[Item], alike: Mapping[str, str]) -> list[list[Item]]:
    """Passages, joined where they hold near duplicates of each other; all in the order of time."""
    ordered = sorted(items, key=lambda item: (item.captured_at_ms, item.sha256))
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    last: dict[tuple[str, str], Item] = {}
    first_of: dict[str, str] = {}
    for item in ordered:
        before = last.get((item.site, item.camera))
        if before is not None and item.captured_at_ms - before.captured_at_ms <= PASSAGE_MS:
            leader[find(item.sha256)] = find(before.sha256)
        word = alike.get(item.sha256)
        if word is not None:
            leader[find(item.sha256)] = find(first_of.setdefault(word, item.sha256))
        last[item.site, item.camera] = item
    found: dict[str, list[Item]] = defaultdict(list)
    for item in ordered:
        found[find(item.sha256)].append(item)
    return list(found.values())
