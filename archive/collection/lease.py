"""One at a time on a bucket, from whatever machine: numbered leases, each made once, which their holder renews.

Nobody's clock counts but the watcher's own: a lease that doesn't change for `BEATS` beats is dead (as in Kubernetes'
leader election), and who makes the next number has taken its place. A holder that was away for so long sees that number
before it changes anything.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from archive.evidence.files import Files
from contracts.errors import VedetteError

log = logging.getLogger(__name__)
FOLDER = "collecting"
BEAT_S = 5.0
BEATS = 6
"""A holder may miss so many beats, half a minute, before it counts as dead."""
Still = Callable[[], None]
"""Raises LeaseError where the lease is another's by now."""


class LeaseError(VedetteError):
    """Another holds the lease."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds it, how often it was renewed, and whether it was given back."""

    by: str
    beat: int = 0
    ended: bool = False


class _Numbered(NamedTuple):
    number: int
    held: Held | None


@contextmanager
def leased(files: Files, by: str, wait: Callable[[float], object], beat_s: float = BEAT_S) -> Iterator[Still]:
    """Hold the lease meanwhile; ask what is given before each step that another could not bear.

    `wait` sleeps: a lease that a killed holder left is watched for `BEATS` beats. Raises LeaseError where somebody
    renews it, or is quicker.
    """
    before = _newest(files)
    if before.held is not None and not before.held.ended:
        _watch(files, before, wait, beat_s)
    number = before.number + 1
    if not files.create(_path(number), _encoded(Held(by=by))):
        raise LeaseError("another began to collect at this moment")
    for path in files.paths(FOLDER):
        if path < _path(number):
            files.delete(path)

    def still() -> None:
        newest = _newest(files)
        if newest.number != number:
            raise LeaseError(f"{newest.held.by if newest.held is not None else 'another'} collects by now")

    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(files, number, by, ended, beat_s), name="lease", daemon=True)
    renewing.start()
    try:
        yield still
    finally:
        ended.set()
        renewing.join()
        files.write(_path(number), _encoded(Held(by=by, ended=True)))


def _watch(files: Files, before: _Numbered, wait: Callable[[float], object], beat_s: float) -> None:
    """Return once it is known that the lease is nobody's any more; LeaseError where it is renewed meanwhile."""
    for _ in range(BEATS):
        wait(beat_s)
        now = _newest(files)
        if now.number == before.number and now.held is not None and now.held.ended:
            return
        if now != before:
            raise LeaseError(f"{now.held.by if now.held is not None else 'another'} collects")


def _renew(files: Files, number: int, by: str, ended: threading.Event, beat_s: float) -> None:
    """Say that the holder lives; a beat that the bucket doesn't take is missed, as any other."""
    beat = 0
    while not ended.wait(beat_s):
        beat += 1
        try:
            if _newest(files).number != number:
                return
            files.write(_path(number), _encoded(Held(by=by, beat=beat)))
        except OSError as error:
            log.warning("the lease on %s can't be renewed: %s", files.place(FOLDER), error)


def _newest(files: Files) -> _Numbered:
    paths = files.paths(FOLDER)
    if not paths:
        return _Numbered(0, None)
    data = files.read(paths[-1])
    held = msgspec.json.decode(data, type=Held) if data is not None else None
    return _Numbered(int(paths[-1].rpartition("/")[2].removesuffix(".json")), held)


def _path(number: int) -> str:
    return f"{FOLDER}/{number:09}.json"


def _encoded(held: Held) -> bytes:
    return msgspec.json.encode(held)
