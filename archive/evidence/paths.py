"""Where an alert's evidence lies, and how old evidence goes."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

from contracts.config import Config
from contracts.errors import ContractError
from contracts.messages import Alert

FRAME = "frame.jpg"
SNAPSHOT = "snapshot.jpg"
ALERT = "alert.json"
SEEN = "seen.json"
MISSED = "missed.json"

# Begins with a letter or digit: neither `.`, `..` nor a hidden or temporary file, and holds no separator.
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def evidence_root(config: Config, state: Path) -> Path:
    """The evidence folder that the config names, else the one in the state folder."""
    return Path(config.evidence.folder).expanduser() if config.evidence.folder else state / "evidence"


def alert_folder(root: Path, alert: Alert) -> Path:
    """`root/<site>/<day>/<camera>/<alert id>`; the day is the UTC date of the alert's start, for all revisions.

    Raises ContractError when a name of the alert could lead anywhere else.
    """
    for name, value in (("site", alert.site), ("camera", alert.camera), ("id", alert.id)):
        if not _PART.fullmatch(value):
            raise ContractError(f"the alert's {name} {value[:200]!r} can't be a folder's name")
    return root / alert.site / _day(alert.started_at_ms).isoformat() / alert.camera / alert.id


def expire(root: Path, now_ms: int, keep_days: float) -> tuple[Path, ...]:
    """Delete the folders of days that ended more than `keep_days` ago; returns them. Leaves anything else alone."""
    gone = []
    for folder in sorted(root.glob("*/*")):
        try:
            day = dt.date.fromisoformat(folder.name)
        except ValueError:
            continue
        if folder.is_symlink() or not folder.is_dir():
            continue
        ended = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(days=1)
        if ended.timestamp() * 1000 + keep_days * 86_400_000 < now_ms:
            shutil.rmtree(folder)
            gone.append(folder)
    return tuple(gone)


def _day(at_ms: int) -> dt.date:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).date()
