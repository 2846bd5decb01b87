"""What alerts say of a person who was removed: in the database and in the evidence folder, their name goes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from archive.evidence.chain import Chain
from archive.people.erasing import erase
from console.store.people import TRACES
from console.store.store import Store
from contracts.errors import ContractError
from contracts.identity import Identified
from contracts.messages import Alert, Condition

log = logging.getLogger(__name__)

REMOVED = "removed person"


class Eraser:
    """Rewrites the alerts of people who were removed; done again where it was cut off."""

    def __init__(self, store: Store, chain: Chain) -> None:
        self._store = store
        self._chain = chain

    def step(self) -> None:
        """Rewrite what names somebody who is removed. Blocks; raises OperationalError, OSError."""
        with self._store.database.read() as connection:
            removed = self._store.people.removed(connection)
        for person_id in removed:
            self._erase(person_id)
        if removed:
            self._store.database.wipe((*TRACES, "alerts", "revisions"))

    def _erase(self, person_id: str) -> None:
        with self._store.database.read() as connection:
            numbers = self._store.people.alerts_of(connection, person_id)
        for number in numbers:
            with self._store.database.write() as connection:
                names: set[str] = set()
                after = self._store.alerts.rewrite(connection, number, _without(person_id, names))
                self._store.alerts.rewrite_history(connection, number, _unnamed(names))
            if after is not None:
                try:
                    erase(self._chain, after, _without(person_id, names))
                except ContractError as error:
                    log.info("alert %s has no folder: %s", after.id, error)
        with self._store.database.write() as connection:
            self._store.people.forget(connection, person_id)
        log.info("%s: %d alerts no longer name them", person_id, len(numbers))


def _without(person_id: str, names: set[str]) -> Callable[[Alert], Alert]:
    """An alert without that person; `names` gets what they were called in it."""

    def rewritten(alert: Alert) -> Alert:
        said = alert.identity
        if said is None:
            return alert
        if said.person_id == person_id:
            names.add(said.name)
        names.update(one.name for one in said.runners_up if one.person_id == person_id)
        names.discard("")
        unnamed = _unnamed(names)
        trace = tuple(
            Condition(one.name, unnamed(one.wanted), unnamed(one.got), one.met) if names else one for one in alert.trace
        )
        return replace(alert, identity=_nobody(said, person_id), why=unnamed(alert.why), trace=trace)

    return rewritten


def _nobody(said: Identified, person_id: str) -> Identified:
    others = tuple(one for one in said.runners_up if one.person_id != person_id)
    if said.person_id != person_id:
        return replace(said, runners_up=others)
    return replace(said, person_id="", name=REMOVED, group="", sealed=b"", runners_up=others)


def _unnamed(names: set[str]) -> Callable[[str], str]:
    def rewritten(text: str) -> str:
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, REMOVED)
        return text

    return rewritten
