"""Records in, rows on disk: what came since the last commit is held here, and written with the places behind it."""

from __future__ import annotations

import logging
import re

from msgspec.structs import replace

from archive.history import catalog
from archive.history.gather import Gatherer
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter, to_merge
from archive.history.rows import Row, kind_of
from bus.consuming import Record
from contracts import metrics, topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Alert, Event, FrameTracks, WindowStats
from contracts.metrics import Metrics

log = logging.getLogger(__name__)

READ: dict[str, type[FrameTracks] | type[Event] | type[Alert] | type[WindowStats]] = {
    topics.TRACKS: FrameTracks,
    topics.EVENTS: Event,
    topics.ALERTS: Alert,
    topics.ANALYTICS: WindowStats,
}
SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
MOST_ROWS = 20_000
"""Rows that wait for their commit: 20 MB at most."""


class Keeper:
    """The folder's one writer. What it held when it was killed is read again from the last commit's places."""

    def __init__(self, mirror: Mirror, measured: Metrics, *, keep_days: float) -> None:
        self._mirror = mirror
        self._metrics = measured
        self._keep_days = keep_days
        self._writer = ParquetWriter(mirror)
        self._catalogue = catalog.read(mirror)
        left = catalog.clean(mirror, self._catalogue)
        if left:
            log.info("%d files of a writer that was killed are deleted; their rows come again", left)
        self._gatherer = Gatherer(catalog.read_state(mirror, self._catalogue))
        self._places = dict(self._catalogue.places)
        self._rows: list[Row] = []
        self.cluster = self._catalogue.cluster

    def places(self) -> dict[tuple[str, int], int]:
        """Where to go on: (topic, partition) → offset."""
        found = {}
        for name, offset in self._places.items():
            topic, _, partition = name.rpartition("/")
            found[topic, int(partition)] = offset
        return found

    def read_from(self, cluster: str) -> None:
        """What comes from now on is of this cluster; another one's places mean nothing."""
        if cluster != self.cluster:
            self.cluster, self._places = cluster, {}

    def take(self, record: Record, now_ms: int) -> None:
        """Take one record in; raises ContractError when it is not what it should be."""
        message = decode(record.value or b"", READ[record.topic])
        if not SITE.fullmatch(message.site):
            raise ContractError(f"the site {message.site!r} can't be a folder's name")
        self._rows += self._gatherer.take(message, now_ms)
        self.pass_by(record)

    def pass_by(self, record: Record) -> None:
        """This record is done with."""
        self._places[f"{record.topic}/{record.partition}"] = record.offset + 1

    @property
    def is_full(self) -> bool:
        """Whether it is time to commit whatever the clock says."""
        return len(self._rows) >= MOST_ROWS

    def commit(self, now_ms: int) -> None:
        """Write what is held, and merge and delete files; raises OSError when the disk takes no more."""
        self._rows += self._gatherer.expire(now_ms)
        if self._places == self._catalogue.places and not self._rows:
            return
        files = self._writer.write(self._rows)
        for row in self._rows:
            self._metrics.counter(metrics.HISTORY_ROWS, kind_of(row)).inc()
        self._rows = []
        self._commit(
            replace(
                self._catalogue,
                cluster=self.cluster,
                places=dict(self._places),
                files=(*self._catalogue.files, *files),
            )
        )
        self._tidy(now_ms)

    def close(self) -> None:
        """Give the memory back; what is held is read again."""
        self._writer.close()

    def _tidy(self, now_ms: int) -> None:
        """Small files become large ones, old days go, in one commit: no row is ever away or double."""
        changed = catalog.swept(self._mirror, self._catalogue, now_ms)
        changed = catalog.without(changed, catalog.too_old(changed, now_ms, self._keep_days), now_ms)
        for several in to_merge(changed.files, catalog.day_of(now_ms)):
            one = self._writer.merge(several)
            changed = catalog.without(changed, several, now_ms)
            changed = replace(changed, files=(*changed.files, one))
        if changed != self._catalogue:
            self._commit(changed)

    def _commit(self, catalogue: catalog.Catalogue) -> None:
        self._catalogue = catalog.commit(self._mirror, catalogue, self._gatherer.state)
