"""What a channel is given: one message about one alert, or about many, in words and as data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from console.pages.texts import COMMON, MESSAGES
from console.store.rows import SEVERITIES
from contracts.fields import Severity
from contracts.messages import Alert

Event = Literal["new", "escalated", "end", "digest", "test"]
MAX_LINES = 20
"""Lines of a digest; the rest is counted."""


@dataclass(frozen=True)
class Parcel:
    """One message. `id` is the same at each try; `picture` is a JPEG."""

    id: str
    event: Event
    severity: Severity
    title: str
    text: str
    link: str
    at_ms: int
    alerts: tuple[Alert, ...] = ()
    picture: bytes | None = None


@dataclass(frozen=True)
class Wording:
    """What every message needs to know of the site: its name, cameras' names, clock, and the console's address."""

    site: str
    camera_name: Callable[[str], str]
    time_zone: str
    address: str

    def single(self, id: str, event: Event, alert: Alert, at_ms: int, picture: bytes | None = None) -> Parcel:
        """What, where, when, why, how severe, what to do, and where to look."""
        link = f"{self.address}/?alert={alert.id}"
        zone = MESSAGES["zone"].format(zone=alert.zone) if alert.zone else ""
        why = [f"{one.name} {one.wanted}: {one.got}" for one in alert.trace]
        lines = [
            alert.why,
            *([MESSAGES["late"]] if alert.late else []),
            MESSAGES["where"].format(place=f"{self.camera_name(alert.camera)}{zone}, {self.site}"),
            MESSAGES["when"].format(time=self._time(alert.started_at_ms)),
            *([MESSAGES["until"].format(time=self._time(alert.ended_at_ms))] if event == "end" else []),
            MESSAGES["severity"].format(severity=COMMON[f"severity_{alert.severity}"]),
            MESSAGES["rule"].format(rule=alert.rule),
            *([MESSAGES["because"].format(why="; ".join(why))] if why else []),
            *([MESSAGES["instructions"].format(text=alert.instructions)] if alert.instructions else []),
            link,
        ]
        said = title(event, alert.severity, alert.why, self.camera_name(alert.camera))
        return Parcel(id, event, alert.severity, said, "\n".join(lines), link, at_ms, (alert,), picture)

    def digest(self, id: str, alerts: Sequence[Alert], at_ms: int) -> Parcel:
        """How many alerts of which rules and cameras there were, the worst first."""
        groups: dict[tuple[str, str], list[Alert]] = {}
        for one in alerts:
            groups.setdefault((one.rule, one.camera), []).append(one)
        ordered = sorted(groups.values(), key=lambda them: (-_worst(them), -len(them), them[0].rule))
        lines = [self._line(them) for them in ordered[:MAX_LINES]]
        rest = sum(map(len, ordered[MAX_LINES:]))
        counts = [(severity, sum(one.severity == severity for one in alerts)) for severity in reversed(SEVERITIES)]
        named = ", ".join(f"{count} {COMMON[f'severity_{severity}'].lower()}" for severity, count in counts if count)
        said = MESSAGES["digest"].format(count=len(alerts), severities=named, site=self.site)
        first, last = min(one.started_at_ms for one in alerts), max(one.started_at_ms for one in alerts)
        span = MESSAGES["span"].format(first=self._time(first), last=self._time(last))
        link = f"{self.address}/"
        text = "\n".join([span, *lines, *([MESSAGES["more"].format(count=rest)] if rest else []), link])
        worst = SEVERITIES[max(map(_worst, ordered))]
        return Parcel(id, "digest", worst, said, text, link, at_ms, tuple(alerts))

    def test(self, id: str, said: str, at_ms: int) -> Parcel:
        """A message that somebody asked for to see whether it comes; `said` is by whom."""
        link = f"{self.address}/"
        text = MESSAGES["test_text"].format(site=self.site, time=self._time(at_ms))
        named = MESSAGES["at_site"].format(title=said, site=self.site)
        return Parcel(id, "test", "info", named, f"{text}\n{link}", link, at_ms)

    def _line(self, them: Sequence[Alert]) -> str:
        return MESSAGES["digest_line"].format(
            count=len(them),
            severity=COMMON[f"severity_{SEVERITIES[_worst(them)]}"],
            rule=them[0].rule,
            camera=self.camera_name(them[0].camera),
        )

    def _time(self, at_ms: int) -> str:
        local = dt.datetime.fromtimestamp(at_ms / 1000, ZoneInfo(self.time_zone))
        return f"{local:%a} {local.day} {local:%b %Y, %H:%M:%S %Z}"


def title(event: Event, severity: Severity, why: str, camera: str) -> str:
    """One line about one alert."""
    return MESSAGES[f"title_{event}"].format(severity=COMMON[f"severity_{severity}"], why=why, camera=camera)


def _worst(them: Sequence[Alert]) -> int:
    return max(SEVERITIES.index(one.severity) for one in them)
