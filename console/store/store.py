"""The store: one database with all that the console keeps in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import URL

from console.store.accounts import Accounts
from console.store.agents import AgentStore
from console.store.alerts import Alerts
from console.store.answers import Answers
from console.store.audit import Audit
from console.store.database import Database
from console.store.judged import JudgedAlerts
from console.store.load import Load
from console.store.names import Names
from console.store.notifications import NotificationStore
from console.store.objects import Objects
from console.store.offsets import Offsets
from console.store.people import People
from console.store.rows import AlertRow
from console.store.suppressions import SuppressionStore
from contracts import topics
from contracts.codec import encode
from contracts.messages import Alert, DeadLetter


class Store:
    """Owns the database. Every call blocks: async code makes it in a thread."""

    def __init__(self, url: str | URL, *, notifies: bool = False) -> None:
        self.database = Database(url)
        names = Names(self.database)
        self.people = People(self.database)
        self.alerts = Alerts(self.database, names, self.people)
        self.load = Load(self.database, names)
        self.judged = JudgedAlerts(self.database, names)
        self.answers = Answers(self.database)
        self.audit = Audit(self.database)
        self.accounts = Accounts(self.database)
        self.agents = AgentStore(self.database)
        self.objects = Objects(self.database)
        self.offsets = Offsets(self.database)
        self.notifications = NotificationStore(self.database, self.people, has_channels=notifies)
        self.suppressions = SuppressionStore(self.database)

    def open(self) -> None:
        """Connect and bring the tables to today's form."""
        self.database.upgrade()
        self.alerts.count_dimensions()

    def take(
        self,
        messages: Sequence[Alert],
        cluster: str,
        places: Mapping[tuple[str, int], int],
        received_at_ms: int,
        letters: Sequence[DeadLetter] = (),
    ) -> list[AlertRow]:
        """Keep what was read from a topic together with the places behind it; returns what is new or changed.

        `letters` are what was no alert: they wait in the outbox. What is new or over waits to be notified of. After a
        power cut the topic is read again from the places that are there.
        """
        self.alerts.name_all(messages)
        with self.database.write(repeatable=True) as connection:
            known = self.alerts.known_of(connection, [one.id for one in messages])
            changed = self.alerts.put(connection, messages, received_at_ms)
            new = [row.id for row in changed if row.id not in known]
            ended = [row.id for row in changed if row.state == "end"]
            self.notifications.note(connection, new, "new", received_at_ms)
            self.notifications.note(connection, ended, "end", received_at_ms)
            for one in letters:
                self.answers.send(connection, topics.DEAD_LETTERS, one.topic, encode(one))
            self.offsets.keep(connection, cluster, places)
        return changed

    def close(self) -> None:
        """Give the connections up."""
        self.database.close()
