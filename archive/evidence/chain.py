"""The chain of a site's day: every change of an alert's evidence is an entry with the digests of all its files.

An entry holds the SHA-256 of the entry before, so one that was changed or taken out shows. The head, signed by the
site's key, says how many there are, so one that was cut off at the end shows as well, and nobody else can write another
chain. An alert's folder has its newest entry once more as its manifest.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal

import msgspec

from archive.evidence import paths
from archive.evidence.files import Files
from archive.evidence.paths import Place
from archive.letters import Clock
from contracts.decoding import from_json
from vault.signing import Signer

FIRST = "0" * 64
DAYS = 16
"""Days whose end is remembered: late alerts and clips of yesterday come between today's."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `files` are all of the alert's files then, by name; of what is `deleted`, what they were.

    `prior` is the number of the same alert's entry before this one, 0 for its first.
    """

    v: int = 1
    number: int
    previous: str
    prior: int
    at_ms: int
    site: str
    day: str
    camera: str
    alert: str
    kind: Literal["kept", "deleted"]
    why: str
    files: dict[str, str]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries there are, and the digest of the last; `signature` (hexadecimal) is under the rest."""

    v: int = 1
    site: str
    day: str
    count: int
    sha256: str
    signature: str = ""


def entry_path(day_folder: str, number: int) -> str:
    """Where an entry lies; names sort as numbers do."""
    return f"{day_folder}/{paths.CHAIN}/{number:08d}.json"


def head_path(day_folder: str) -> str:
    """Where the head lies."""
    return f"{day_folder}/{paths.CHAIN}/head.json"


def sha256(data: bytes) -> str:
    """A digest as it stands in entries."""
    return hashlib.sha256(data).hexdigest()


def signed_part(head: Head) -> bytes:
    """What the head's signature is under."""
    return b"vedette evidence chain\n" + msgspec.json.encode(msgspec.structs.replace(head, signature=""))


def as_json(value: msgspec.Struct) -> bytes:
    """A file that people can read, too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


class ChainReader:
    """Reads alerts' files as their entries mean them."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def manifest(self, place: Place) -> Entry | None:
        """The alert's newest entry, None where it has none that can be read."""
        data = self.files.read(place.file(paths.MANIFEST))
        try:
            return from_json(data, Entry) if data is not None else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def read(self, place: Place, name: str, manifest: Entry | None) -> bytes | None:
        """One of the alert's files as the manifest means it, None where a kill left it without its entry."""
        wanted = manifest.files.get(name) if manifest is not None and manifest.kind == "kept" else None
        data = self.files.read(place.file(name)) if wanted is not None else None
        return data if data is not None and sha256(data) == wanted else None


class Chain(ChainReader):
    """Writes alerts' files and their entries. Threads may share it."""

    def __init__(self, files: Files, key: Signer, clock: Clock) -> None:
        super().__init__(files)
        self._key = key
        self._clock = clock
        self._ends: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, place: Place, files: Mapping[str, bytes | None], why: str) -> None:
        """Write these files of an alert (None: one is no more) in their order, then their entry.

        Done again after a kill it ends the same. Files that are as the manifest says already make no new entry.
        """
        for name, data in files.items():
            if data is not None:
                self.files.write(place.file(name), data)
            else:
                self.files.delete(place.file(name))
        with self._lock:
            before = self.manifest(place)
            known = dict(before.files) if before is not None else {}
            digests = known | {name: sha256(data) for name, data in files.items() if data is not None}
            digests = {name: digest for name, digest in digests.items() if files.get(name, b"") is not None}
            if before is None or digests != known:
                self._append(place, before, "kept", why, digests)

    def bury(self, place: Place, why: str) -> Entry:
        """Say that the alert's files are deleted: the entry that stays. Said once; who calls deletes them then."""
        with self._lock:
            before = self.manifest(place)
            if before is not None and before.kind == "deleted":
                return before
            return self._append(place, before, "deleted", why, dict(before.files) if before else {})

    def _append(
        self, place: Place, before: Entry | None, kind: Literal["kept", "deleted"], why: str, digests: dict[str, str]
    ) -> Entry:
        folder = place.day_folder
        while True:
            count, last = self._end(folder)
            entry = Entry(
                number=count + 1,
                previous=last,
                prior=before.number if before is not None else 0,
                at_ms=self._clock(),
                site=place.site,
                day=place.day.isoformat(),
                camera=place.camera,
                alert=place.alert,
                kind=kind,
                why=why,
                files=dict(sorted(digests.items())),
            )
            data = as_json(entry)
            if self.files.create(entry_path(folder, entry.number), data):
                break
            del self._ends[folder]  # another process writes this day as well
        self._remember(folder, entry.number, sha256(data))
        head = Head(site=place.site, day=entry.day, count=entry.number, sha256=sha256(data))
        signature = self._key.sign(signed_part(head)).hex()
        self.files.write(head_path(folder), as_json(msgspec.structs.replace(head, signature=signature)))
        self.files.write(place.file(paths.MANIFEST), data)
        return entry

    def _end(self, folder: str) -> tuple[int, str]:
        """How many entries the day has, and the last one's digest."""
        if folder not in self._ends:
            names = [path.rpartition("/")[2] for path in self.files.paths(f"{folder}/{paths.CHAIN}")]
            count = max((int(name[:8]) for name in names if name[:8].isdecimal()), default=0)
            last = self.files.read(entry_path(folder, count)) if count else None
            self._remember(folder, count, sha256(last) if last is not None else FIRST)
        return self._ends[folder]

    def _remember(self, folder: str, count: int, digest: str) -> None:
        self._ends[folder] = (count, digest)
        self._ends.move_to_end(folder)
        while len(self._ends) > DAYS:
            self._ends.popitem(last=False)
