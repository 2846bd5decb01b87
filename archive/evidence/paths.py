"""Where an alert's evidence lies: one folder an alert, beside the chain of its day."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from contracts.errors import ContractError
from contracts.messages import Alert

FRAME = "frame.jpg"
SNAPSHOT = "snapshot.jpg"
ALERT = "alert.json"
DECISIONS = "decisions.json"
SEEN = "seen.json"
MISSED = "missed.json"
CLIP = "clip.mp4"
CLIP_INFO = "clip.json"
ANSWERS = "answers.json"
MANIFEST = "manifest.json"

CHAIN = "_chain"
"""The folder of a day's chain, beside its cameras': no camera can be called so."""
PENDING = "_pending"
"""The folder of a site's alerts whose clips are not made yet, beside its days."""

# Begins with a letter or digit: neither `.`, `..` nor a hidden or temporary file, and holds no separator.
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


class Place(NamedTuple):
    """An alert's place; the day is the UTC date of the alert's start, for all revisions."""

    site: str
    day: dt.date
    camera: str
    alert: str

    @property
    def day_folder(self) -> str:
        """`<site>/<day>`."""
        return f"{self.site}/{self.day.isoformat()}"

    @property
    def folder(self) -> str:
        """`<site>/<day>/<camera>/<alert id>`."""
        return f"{self.day_folder}/{self.camera}/{self.alert}"

    @property
    def pending(self) -> str:
        """The file that says that the alert's clip is not made yet."""
        return f"{self.site}/{PENDING}/{self.alert}.json"

    def file(self, name: str) -> str:
        """The path of one of the alert's files."""
        return f"{self.folder}/{name}"


def place_of(alert: Alert) -> Place:
    """Where the alert's evidence lies. Raises ContractError when a name of it could lead anywhere else."""
    return place(alert.site, alert.started_at_ms, alert.camera, alert.id)


def place(site: str, started_at_ms: int, camera: str, alert: str) -> Place:
    """The same by the names; raises ContractError."""
    for name, value in (("site", site), ("camera", camera), ("id", alert)):
        if not _PART.fullmatch(value):
            raise ContractError(f"the alert's {name} {value[:200]!r} can't be a folder's name")
    return Place(site, dt.datetime.fromtimestamp(started_at_ms / 1000, dt.UTC).date(), camera, alert)


def parsed(path: str) -> tuple[Place, str] | None:
    """The place and the name of an alert's file by its path; None for what is none."""
    parts = path.split("/")
    day = day_of(parts[1]) if len(parts) == 5 else None
    if day is None or not all(_PART.fullmatch(part) for part in parts):
        return None
    return Place(parts[0], day, parts[2], parts[3]), parts[4]


def day_of(name: str) -> dt.date | None:
    """The day that a folder is of, None for one that is none's."""
    try:
        return dt.date.fromisoformat(name) if len(name) == 10 else None
    except ValueError:
        return None


def place_in(day_folder: str, camera: str, alert: str) -> Place:
    """The place of an alert of that `<site>/<day>`."""
    site, _, day = day_folder.partition("/")
    return Place(site, dt.date.fromisoformat(day), camera, alert)
