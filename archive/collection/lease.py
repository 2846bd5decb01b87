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
from typing import Literal, NamedTuple

import msgspec

from archive.evidence.files import Files
from contracts.decoding import from_json
from contracts.errors import VedetteError

log = logging.getLogger(__name__)
BEAT_S = 5.0
BEATS = 6
"""A holder may miss so many beats, half a minute, before it counts as dead."""
Still = Callable[[], None]
"""Raises LeaseError where the lease is another's by now."""
Work = Literal["collecting", "learning"]
"""What one does at a time, and the folder in which that lease lies."""


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

    @property
    def who(self) -> str:
        return self.held.by if self.held is not None else "another"


class _Lease(NamedTuple):
    """The numbered files of one kind of work."""

    files: Files
    work: Work

    def newest(self) -> _Numbered:
        paths = self.files.paths(self.work)
        if not paths:
            return _Numbered(0, None)
        data = self.files.read(paths[-1])
        held = _said(data) if data is not None else None
        return _Numbered(int(paths[-1].rpartition("/")[2].removesuffix(".json")), held)

    def create(self, number: int, by: str) -> bool:
        """Take the next number, and clear those before it away; False where another was quicker."""
        if not self.files.create(self._path(number), msgspec.json.encode(Held(by=by))):
            return False
        for path in self.files.paths(self.work):
            if path < self._path(number):
                self.files.delete(path)
        return True

    def write(self, number: int, held: Held, what: str) -> None:
        """Say how it stands, as long as it is still ours.

        Where the bucket doesn't take it that is a warning, as what is done meanwhile has an outcome of its own.
        """
        try:
            if self.newest().number == number:
                self.files.write(self._path(number), msgspec.json.encode(held))
        except OSError as error:
            log.warning("the lease on %s can't be %s: %s", self.files.place(self.work), what, error)

    def _path(self, number: int) -> str:
        return f"{self.work}/{number:09}.json"


def _said(data: bytes) -> Held:
    """What a lease says; one that can't be read is somebody's all the same, who is dead unless it changes."""
    try:
        return from_json(data, Held)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Held(by="another")


@contextmanager
def leased(
    files: Files, by: str, wait: Callable[[float], object], beat_s: float = BEAT_S, work: Work = "collecting"
) -> Iterator[Still]:
    """Hold the lease meanwhile; ask what is given before each step that another could not bear.

    `wait` sleeps: a lease that a killed holder left is watched for `BEATS` beats. Raises LeaseError where somebody
    renews it, or is quicker.
    """
    lease = _Lease(files, work)
    before = lease.newest()
    if before.held is not None and not before.held.ended:
        _watch(lease, before, wait, beat_s)
    number = before.number + 1
    if not lease.create(number, by):
        raise LeaseError(f"another began {work} at this moment")

    def still() -> None:
        newest = lease.newest()
        if newest.number != number:
            raise LeaseError(f"{newest.who} is {work} by now")

    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lease, number, by, ended, beat_s), name="lease", daemon=True)
    renewing.start()
    try:
        yield still
    finally:
        ended.set()
        renewing.join()
        lease.write(number, Held(by=by, ended=True), "given back: the next one waits until it counts as dead")


def _watch(lease: _Lease, before: _Numbered, wait: Callable[[float], object], beat_s: float) -> None:
    """Return once it is known that the lease is nobody's any more; LeaseError where it is renewed meanwhile."""
    for _ in range(BEATS):
        wait(beat_s)
        now = lease.newest()
        if now.number == before.number and now.held is not None and now.held.ended:
            return
        if now != before:
            raise LeaseError(f"{now.who} is {lease.work}")


def _renew(lease: _Lease, number: int, by: str, ended: threading.Event, beat_s: float) -> None:
    """Say that the holder lives; a beat that the bucket doesn't take is missed, as any other."""
    beat = 0
    while not ended.wait(beat_s):
        beat += 1
        lease.write(number, Held(by=by, beat=beat), "renewed")
