"""Lets evidence go when its class is over: said in the chain first, told to others, then deleted."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable
from typing import Literal

from archive.evidence import paths
from archive.evidence.answers import Answered, answered
from archive.evidence.chain import Chain, Entry
from archive.evidence.files import Files
from archive.evidence.paths import Place
from contracts import metrics
from contracts.codec import decode
from contracts.config import EvidenceStore, FaceRetention, KeepDays
from contracts.errors import ContractError
from contracts.fields import Severity
from contracts.identity import Identified
from contracts.messages import Alert, EvidenceNote
from contracts.metrics import Metrics

log = logging.getLogger(__name__)

DAY_MS = 86_400_000

Class = Literal["confirmed", "unanswered", "nuisance", "false_alarm"]


def class_of(known: Answered) -> Class:
    """How an alert's evidence is kept, by its latest verdict; what was missed is as real as what was confirmed."""
    match known.verdict:
        case "true":
            return "confirmed"
        case "false":
            return "false_alarm"
        case "nuisance":
            return "nuisance"
        case None:
            return "confirmed" if known.missed else "unanswered"


def days_of(keep: KeepDays, kind: Class, severity: Severity | None) -> float:
    """How many days after the alert's day that is."""
    if kind == "unanswered" and severity is not None and severity in keep.severity:
        return keep.severity[severity]
    days: float = getattr(keep, kind)
    return days


def days_of_person(days: float, kind: Class, about: Identified | None, faces: FaceRetention) -> float:
    """The same for an alert about somebody: as their class of people says, but what was none is kept no longer."""
    if about is None:
        return days
    own = faces.of(about.group if about.person_id else None).evidence_days
    if own is None:
        return days
    return min(own, days) if kind in ("nuisance", "false_alarm") else own


class Retention:
    """Looks at every alert that may be too old. `tell` takes each deletion before anything of it is gone."""

    def __init__(
        self,
        files: Files,
        chain: Chain,
        config: EvidenceStore,
        measured: Metrics,
        tell: Callable[[EvidenceNote], None],
        stopped: Callable[[], bool],
        faces: FaceRetention,
    ) -> None:
        self._files = files
        self._chain = chain
        self._config = config
        self._metrics = measured
        self._tell = tell
        self._stopped = stopped
        self._faces = faces
        keep = config.keep_days
        of_people = (kept.evidence_days for kept in (*faces.groups.values(), faces.unknown))
        least = (keep.confirmed, keep.unanswered, keep.nuisance, keep.false_alarm, *keep.severity.values())
        self._least_days = min(*least, *(days for days in of_people if days is not None))

    def sweep(self, now_ms: int) -> int:
        """Delete what is due at `now_ms`; returns of how many alerts. What a kill cuts off, the next one finishes."""
        gone = 0
        for site in self._files.folders(""):
            for name in self._files.folders(site):
                day = paths.day_of(name)
                age_days = _age_days(day, now_ms) if day is not None else 0.0
                if age_days <= self._least_days or self._stopped():
                    continue
                present = self._files.paths(f"{site}/{name}")
                gone += self._sweep_day(_by_alert(present), age_days)
                if age_days > self._config.keep_chain_days:
                    self._end_day(f"{site}/{name}")
        return gone

    def _sweep_day(self, alerts: dict[Place, set[str]], age_days: float) -> int:
        gone = 0
        for place, names in alerts.items():
            if names == {paths.MANIFEST} or self._stopped():
                continue  # a tombstone
            gone += self._look(place, names, age_days)
        return gone

    def _look(self, place: Place, names: Iterable[str], age_days: float) -> bool:
        """Delete one alert's evidence if it is due."""
        manifest = self._chain.manifest(place)
        if manifest is not None and manifest.kind == "deleted":  # a kill came between
            self._delete(place, names, manifest)
            return False
        known = answered(self._chain, place, manifest)
        kind = class_of(known)
        alert = self._alert(place)
        days = days_of(self._config.keep_days, kind, alert.severity if alert is not None else None)
        if alert is not None:
            days = days_of_person(days, kind, alert.identity, self._faces)
        if known.holds or age_days <= days:
            return False
        self._delete(place, names, self._chain.bury(place, f"{kind.replace('_', ' ')}: kept for {days:g} days"))
        self._metrics.counter(metrics.EVIDENCE_DELETED, kind).inc()
        return True

    def _delete(self, place: Place, names: Iterable[str], stone: Entry) -> None:
        note = EvidenceNote(
            site=place.site, camera=place.camera, alert=place.alert, at_ms=stone.at_ms, kind="deleted", why=stone.why
        )
        self._tell(note)
        for name in names:
            if name != paths.MANIFEST:
                self._files.delete(place.file(name))
        log.info("%s: deleted (%s)", self._files.place(place.folder), stone.why)

    def _end_day(self, day_folder: str) -> None:
        """A day that has nothing but tombstones and their chain is no more."""
        present = self._files.paths(day_folder)
        chain = f"{day_folder}/{paths.CHAIN}/"
        left = _by_alert(present)
        known = [path for path in present if path.startswith(chain) or paths.parsed(path) is not None]
        if known and all(names == {paths.MANIFEST} for names in left.values()) and not self._stopped():
            for path in known:
                self._files.delete(path)
            if known == present:
                self._files.clear(day_folder)
            log.info("%s: its chain is older than %g days, deleted", day_folder, self._config.keep_chain_days)

    def _alert(self, place: Place) -> Alert | None:
        data = self._files.read(place.file(paths.ALERT))
        try:
            return decode(data, Alert) if data is not None else None
        except ContractError:
            return None


def _by_alert(present: Iterable[str]) -> dict[Place, set[str]]:
    found: dict[Place, set[str]] = {}
    for path in present:
        known = paths.parsed(path)
        if known is not None:
            found.setdefault(known[0], set()).add(known[1])
    return found


def _age_days(day: dt.date, now_ms: int) -> float:
    """How long ago the day ended."""
    ended = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(days=1)
    return (now_ms - ended.timestamp() * 1000) / DAY_MS
