"""How far the consumer has come, kept in the same transaction as what it took."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from console.store.database import Database
from console.store.tables import offsets

Places = dict[tuple[str, int], int]
"""(topic, partition) → the next offset to read."""


class Offsets:
    """Places by cluster: another cluster under the same address begins anew."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, cluster: str) -> Places:
        """Where to go on."""
        query = select(offsets.c.topic, offsets.c.partition, offsets.c.next).where(offsets.c.cluster == cluster)
        with self._database.read() as connection:
            return {(row.topic, row.partition): row.next for row in connection.execute(query)}

    def keep(self, connection: Connection, cluster: str, places: Mapping[tuple[str, int], int]) -> None:
        """Remember places, in the transaction of what was read before them."""
        for (topic, partition), following in places.items():
            place = {"cluster": cluster, "topic": topic, "partition": partition}
            same = [offsets.c[name] == value for name, value in place.items()]
            connection.execute(delete(offsets).where(*same))
            connection.execute(offsets.insert().values(**place, next=following))
