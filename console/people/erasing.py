"""What alerts say of a person who was removed: in the database and in the evidence folder, their name goes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from archive.evidence.chain import Chain
from archive.people.erasing import erase
from console.store.people import TRACES, Named
from console.store.store import Store
from contracts.errors import ContractError
from contracts.identity import Identified
from contracts.messages import Alert, Condition
from contracts.topics import DAY_MS

log = logging.getLogger(__name__)

REMOVED = "removed person"
AGAIN_MS = 10_000
KEEP_MS = 30 * DAY_MS
"""As long as the topic `alerts` is kept, from which one may be read again."""


class Eraser:
    """Rewrites the alerts of people who were removed, and those that come later; done again where it was cut off.

    An alert that is still open when its person is removed says their name once more, and evidence may be behind: so an
    alert is looked at until it has ended and its folder says no less than the database.
    """

    def __init__(self, store: Store, chain: Chain, clock_ms: Callable[[], int]) -> None:
        self._store = store
        self._chain = chain
        self._clock_ms = clock_ms
        self._due_ms: dict[Named, int] = {}
        self._forgot_ms = -DAY_MS

    def step(self, called: Mapping[str, str] = MappingProxyType({})) -> None:
        """Rewrite what names somebody who is removed; `called` has the names of those who were removed just now.

        Blocks; raises OperationalError, OSError.
        """
        now_ms = self._clock_ms()
        with self._store.database.read() as connection:
            found = self._store.people.named_still(connection)
        self._due_ms = {one: at_ms for one, at_ms in self._due_ms.items() if one in set(found)}
        due = [one for one in found if self._due_ms.get(one, 0) <= now_ms]
        for one in due:
            self._erase(one, called.get(one.person, ""), now_ms)
        if due:
            self._store.database.wipe((*TRACES, "alerts", "revisions"))
        if now_ms - self._forgot_ms >= DAY_MS:
            self._forgot_ms = now_ms
            with self._store.database.write() as connection:
                self._store.people.forget(connection, now_ms - KEEP_MS)

    def _erase(self, one: Named, name: str, now_ms: int) -> None:
        names = {name} - {""}
        alert = self._rewrite(one, names)
        if alert is None:
            return
        known, told = len(names), None
        try:
            told = erase(self._chain, alert, _without(one.person, names))
        except ContractError as error:
            log.info("alert %s has no folder: %s", alert.id, error)
        if len(names) > known:  # an earlier revision called them otherwise
            self._rewrite(one, names)
        waited_ms = now_ms - alert.at_ms
        settled = alert.state == "end" and told is not None and told >= alert.revision
        if settled or waited_ms > DAY_MS:
            with self._store.database.write() as connection:
                self._store.people.unlink(connection, one.person, one.number)
            log.info("alert %s no longer names %s", alert.id, one.person)
        else:
            self._due_ms[one] = now_ms + max(AGAIN_MS, waited_ms // 2)

    def _rewrite(self, one: Named, names: set[str]) -> Alert | None:
        with self._store.database.write() as connection:
            alert = self._store.alerts.rewrite(connection, one.number, _without(one.person, names))
            self._store.alerts.rewrite_history(connection, one.number, _unnamed(names))
        return alert


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
