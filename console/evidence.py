"""The pictures of alerts, read from the evidence folder for who may see them; every look is in the audit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Literal

from archive.evidence import paths
from console.rights import Who
from console.store.store import Store
from contracts.errors import ContractError

Picture = Literal["snapshot", "frame"]
_FILES: dict[Picture, str] = {"snapshot": paths.SNAPSHOT, "frame": paths.FRAME}

SAME_LOOK_MS = 60_000
"""A browser that asks for the same picture again within this is still the same look."""
MAX_LOOKS = 10_000


class Pictures:
    """The evidence folder and who looked into it."""

    def __init__(self, store: Store, root: Path) -> None:
        self._store = store
        self._root = root
        self._looks: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, who: Who, alert_id: str, picture: Picture, now_ms: int) -> bytes | None:
        """The JPEG, None when there is none. That this person may see the camera is looked at before."""
        alert = self._store.alerts.body(alert_id)
        if alert is None:
            return None
        try:
            data = (paths.alert_folder(self._root, alert) / _FILES[picture]).read_bytes()
        except (ContractError, FileNotFoundError, NotADirectoryError):
            return None
        if self._is_new(who.name, alert_id, picture, now_ms):
            details = {"picture": picture, "camera": alert.camera}
            self._store.audit.record(at_ms=now_ms, who=who.name, action="look", subject=alert_id, details=details)
        return data

    def _is_new(self, name: str, alert_id: str, picture: str, now_ms: int) -> bool:
        key = (name, alert_id, picture)
        with self._lock:
            last_ms = self._looks.pop(key, -SAME_LOOK_MS)
            new = now_ms - last_ms >= SAME_LOOK_MS
            self._looks[key] = now_ms if new else last_ms
            while len(self._looks) > MAX_LOOKS:
                self._looks.popitem(last=False)
        return new
