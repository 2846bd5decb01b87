"""Sightings where who keeps and who searches them share no folder: the keeper's files, copied to a bucket and from it.

A segment never changes under its name, a tail only grows; all is sealed under the keys of its day.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from archive.evidence.durable import replace
from archive.evidence.files import Bucket, Files
from archive.sightings.folder import SEGMENT, TAIL, days_in
from contracts.config import Config

log = logging.getLogger(__name__)

UNDER, DAY = "sightings", "seen-"
"""`sightings/seen-<day>/<file>`: evidence in the same bucket takes no such folder for one of its days."""
EVERY_S = 5.0


class Copies:
    """The files below `root`, and their copies in `files`. One thread puts, one at a time fetches."""

    def __init__(self, files: Files, root: Path) -> None:
        self._files = files
        self._root = root
        self._put: dict[str, int] = {}
        self._due_s = 0.0

    def put(self) -> None:
        """Copy what is new here, and delete there what is no more, once in EVERY_S; a bucket that is away is said."""
        if self._is_due():
            try:
                self._put_all()
            except OSError as error:
                log.warning("sightings are not copied, again in %g s: %s", EVERY_S, error)

    def fetch(self) -> None:
        """Copy what is new there, and delete here what is no more, once in EVERY_S; a bucket that is away is said."""
        if self._is_due():
            try:
                self._fetch_all()
            except OSError as error:
                log.warning("sightings are searched as they were: %s", error)

    def _put_all(self) -> None:
        here = dict(self._here())
        for name, size in here.items():
            if self._put.get(name) != size:
                self._files.write(_there(name), (self._root / name).read_bytes()[:size])
                self._put[name] = size
        for path in self._files.paths(UNDER):
            if _name(path) not in here:
                self._files.delete(path)
                self._put.pop(_name(path), None)

    def _fetch_all(self) -> None:
        here = dict(self._here())
        there = {_name(path): path for path in self._files.paths(UNDER)}
        for name, path in there.items():
            if (name.endswith(SEGMENT) and name in here) or (name in here and self._files.size(path) == here[name]):
                continue
            data = self._files.read(path)
            if data is not None:  # it may have become a segment, or its day went
                replace(self._root / name, data)
        for name in here.keys() - there.keys():
            (self._root / name).unlink(missing_ok=True)

    def _here(self) -> Iterator[tuple[str, int]]:
        for _, folder in days_in(self._root):
            for file in sorted((*folder.glob(f"*{SEGMENT}"), *folder.glob(f"*{TAIL}"))):
                yield f"{folder.name}/{file.name}", file.stat().st_size

    def _is_due(self) -> bool:
        now_s = time.monotonic()
        due = now_s >= self._due_s
        self._due_s = now_s + EVERY_S if due else self._due_s
        return due


def copies_of(config: Config, root: Path) -> Copies | None:
    """By way of evidence's bucket, None where that is a folder. Nothing is opened or connected yet."""
    return Copies(Bucket(config.evidence.s3), root) if config.evidence.s3 is not None else None


def _there(name: str) -> str:
    return f"{UNDER}/{DAY}{name}"


def _name(path: str) -> str:
    return path.removeprefix(f"{UNDER}/{DAY}")
