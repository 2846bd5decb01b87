"""Brings the `controls` topic in line with the registry's log, and the log with what the stream took back by itself.

The log is written first. Whatever a kill leaves between the two is made good by doing this once more.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from archive.registry.errors import RegistryError
from archive.registry.log import EVERYWHERE, Standing
from archive.registry.registry import Registry
from contracts.codec import decode
from contracts.controls import LEAD_MS, Change, Control, EndCandidate, SetModel, key
from contracts.errors import ContractError

BY = "registry"
DETECTOR = "detector"
Held = dict[str, Control]


def held(values: Iterable[bytes | None], site: str) -> Held:
    """The last word of each key about models among the records of `controls`, in any order."""
    found: Held = {}
    for value in values:
        take(found, value, site)
    return found


def take(topic: Held, value: bytes | None, site: str) -> bool:
    """Note one record of `controls`; whether it says something new about this site's models."""
    try:
        control = decode(value, Control) if value is not None else None
    except ContractError:
        return False  # the decide job reads the same record and writes the dead letter
    if control is None or control.site != site or not isinstance(control.change, SetModel | EndCandidate):
        return False
    before = topic.get(key(control.change))
    if before is not None and before.version > control.version:
        return False
    topic[key(control.change)] = control
    return before != control


def learn(registry: Registry, site: str, topic: Held) -> list[str]:
    """Write into the log which candidates the stream took back after the log's own last word; returns their ids."""
    learnt = []
    for slot, now in registry.standing(site).items():
        word = topic.get(f"candidate//{slot}")
        if word is None or word.version <= now.at_ms or not isinstance(word.change, EndCandidate):
            continue
        going = now.candidate.model if now.candidate is not None else now.in_service if word.change.in_service else ""
        if word.change.model == going:
            try:
                registry.rollback(slot, site, by=word.change.by, why=word.change.reason, model=word.change.model)
            except RegistryError:
                continue  # somebody else decided something meanwhile
            learnt.append(word.change.model)
    return learnt


def missing(registry: Registry, site: str, topic: Held, now_ms: int) -> list[Control]:
    """What has to be sent so that the topic says what the log says; nothing where it does."""
    changes: list[Change] = []
    for slot, now in sorted(registry.standing(site).items()):
        changes += _wanted(registry, slot, now, topic)
    found = []
    for change in changes:
        before = topic.get(key(change))
        if before is None or _plain(before.change) != _plain(change):
            version = max(now_ms, before.version + 1) if before is not None else now_ms
            found.append(
                Control(site=site, origin="console", version=version, effective_from_ms=now_ms + LEAD_MS, change=change)
            )
    return found


def _plain(change: Change) -> Change:
    """What is in service, whatever it is held against: that is the first word's, and not said anew."""
    return msgspec.structs.replace(change, before=None) if isinstance(change, SetModel) else change


def _wanted(registry: Registry, slot: str, now: Standing, topic: Held) -> list[Change]:
    found: list[Change] = []
    if now.in_service:
        compared = slot == DETECTOR and now.before and not now.proven
        before = registry.manifest(now.before[-1]) if compared else None
        in_service = registry.manifest(now.in_service)
        found.append(SetModel(manifest=in_service, folder="", stage=EVERYWHERE, before=before))
    if now.candidate is not None:
        one = now.candidate
        manifest = registry.manifest(one.model)
        found.append(SetModel(manifest=manifest, folder="", stage=one.stage, cameras=one.cameras, share=one.share))
    elif (word := topic.get(f"candidate//{slot}")) is not None and isinstance(word.change, SetModel):
        manifest = word.change.manifest
        found.append(EndCandidate(task=manifest.task, model=manifest.id, by=BY, reason="the registry has none"))
    return found
