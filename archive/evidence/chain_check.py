"""Follows the chain of a day, and says what of its evidence is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from archive.evidence import paths
from archive.evidence.chain import FIRST, Entry, Head, entry_path, head_path, sha256, signed_part
from archive.evidence.files import Files
from archive.evidence.paths import Place
from contracts.decoding import from_json
from vault.signing import PublicKey


class Fault(NamedTuple):
    """What is wrong, and where (a path)."""

    path: str
    what: str


class Checked(NamedTuple):
    """A day's evidence: alerts that are there, alerts whose deletion is explained, and what is wrong."""

    kept: int
    deleted: int
    faults: tuple[Fault, ...]


def check_day(files: Files, day_folder: str, key: PublicKey) -> Checked:
    """Look at everything below `<site>/<day>`."""
    present = files.paths(day_folder)
    entries, faults = _entries(files, day_folder, present)
    faults += _head_faults(files, day_folder, entries, key)
    newest = {(entry.camera, entry.alert): (entry, data) for entry, data in entries}
    found: dict[Place, set[str]] = {}
    for path in present:
        known = paths.parsed(path)
        if known is not None:
            found.setdefault(known[0], set()).add(known[1])
    for place in found:
        if (place.camera, place.alert) not in newest:
            faults.append(Fault(place.folder, "is in no entry of the chain"))
    for entry, data in newest.values():
        place = paths.place_in(day_folder, entry.camera, entry.alert)
        faults += _alert_faults(files, place, entry, data, found.get(place, set()))
    deleted = sum(entry.kind == "deleted" for entry, _ in newest.values())
    return Checked(len(newest) - deleted, deleted, tuple(faults))


def _entries(files: Files, day_folder: str, present: Sequence[str]) -> tuple[list[tuple[Entry, bytes]], list[Fault]]:
    """The entries in their order with their bytes, and what is wrong with them."""
    prefix = f"{day_folder}/{paths.CHAIN}/"
    names = [path for path in present if path.startswith(prefix) and path != head_path(day_folder)]
    entries: list[tuple[Entry, bytes]] = []
    faults = []
    last, expected = FIRST, 1
    for path in names:
        data = files.read(path) or b""
        try:
            entry = from_json(data, Entry)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            faults.append(Fault(path, f"is no entry: {error}"))
            last, expected = sha256(data), expected + 1
            continue
        for missing in range(expected, min(entry.number, expected + 100)):
            faults.append(Fault(entry_path(day_folder, missing), "was removed"))
        if path != entry_path(day_folder, entry.number):
            faults.append(Fault(path, f"says that it is entry {entry.number}"))
        elif entry.previous != last and entry.number == expected:
            faults.append(
                Fault(path, f"does not follow entry {entry.number - 1} as that is now: one of the two was changed")
            )
        entries.append((entry, data))
        last, expected = sha256(data), entry.number + 1
    return entries, faults


def _head_faults(
    files: Files, day_folder: str, entries: Sequence[tuple[Entry, bytes]], key: PublicKey
) -> Iterator[Fault]:
    path = head_path(day_folder)
    data = files.read(path)
    if data is None:
        if entries:
            yield Fault(path, "is missing")
        return
    try:
        head = from_json(data, Head)
        signature = bytes.fromhex(head.signature)
    except (msgspec.MsgspecError, ValueError) as error:
        yield Fault(path, f"is no head: {error}")
        return
    if not key.signed(signed_part(head), signature) or head.day != day_folder.rpartition("/")[2]:
        yield Fault(path, "is not signed by this site's key")
        return
    # A kill between an entry and its head leaves the head one behind; the next entry mends it.
    by_number = {entry.number: content for entry, content in entries}
    if head.count not in by_number:
        yield Fault(entry_path(day_folder, head.count), "was removed: the signed head says that it is the last")
    elif sha256(by_number[head.count]) != head.sha256:
        yield Fault(entry_path(day_folder, head.count), "was changed: the signed head has another digest of it")


def _alert_faults(files: Files, place: Place, entry: Entry, data: bytes, names: set[str]) -> Iterator[Fault]:
    """What is in the alert's folder against its newest entry."""
    if files.read(place.file(paths.MANIFEST)) != data:
        yield Fault(place.file(paths.MANIFEST), f"is not entry {entry.number} of the chain")
    wanted = entry.files if entry.kind == "kept" else {}
    for name in sorted(names - wanted.keys() - {paths.MANIFEST}):
        what = "was added" if entry.kind == "kept" else "is there, and the chain says it was deleted"
        yield Fault(place.file(name), what)
    for name, digest in wanted.items():
        content = files.read(place.file(name))
        if content is None:
            yield Fault(place.file(name), "was removed")
        elif sha256(content) != digest:
            yield Fault(place.file(name), "was changed")
