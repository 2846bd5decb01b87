"""The evidence of alerts, read for who may see them; every look is in the audit."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Literal, NamedTuple, TypeVar

import msgspec

from archive.evidence import paths
from archive.evidence.clip import ClipInfo
from archive.evidence.export import NoEvidenceError, exported
from archive.evidence.files import Files
from archive.evidence.paths import Place
from console.rights import Who
from console.store.rows import AlertRow, AnswerRow, RevisionRow
from console.store.store import Store
from contracts.decoding import from_json
from contracts.errors import ContractError
from contracts.messages import Alert, Evidence
from vault import PublicKey, Signer

What = Literal["snapshot", "frame", "clip"]
_FILES: dict[What, str] = {"snapshot": paths.SNAPSHOT, "frame": paths.FRAME, "clip": paths.CLIP}

SAME_LOOK_MS = 60_000
"""A browser that asks for the same thing again within this is still the same look; a film is asked for in parts."""
MAX_LOOKS = 10_000
PART_BYTES = 4 * 1024 * 1024
"""At most so much of a clip in one answer: a player asks for the next part by itself."""

S = TypeVar("S", bound=msgspec.Struct)


class Kept(msgspec.Struct, frozen=True):
    """What evidence says of the frame that it keeps: the best one, which needn't be the newest revision's."""

    revision: int
    evidence: Evidence
    sha256: str


class Missed(msgspec.Struct, frozen=True):
    """Why evidence has no picture."""

    reason: str


class Actions(msgspec.Struct, frozen=True, kw_only=True):
    """What operators did with an alert, as a bundle has it."""

    row: AlertRow | None
    revisions: tuple[RevisionRow, ...]
    answers: tuple[AnswerRow, ...]
    cases: tuple[str, ...]


class Part(NamedTuple):
    """Bytes of a file from `first` on, and how many it has in all."""

    data: bytes
    first: int
    size: int


class EvidenceReader:
    """Evidence as the console shows it, and who looked at it. What blocks is called in a thread."""

    def __init__(self, store: Store, files: Files, key: Signer) -> None:
        self._store = store
        self._files = files
        self._key = key
        self._looks: OrderedDict[tuple[str, str, str], int] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, who: Who, alert_id: str, what: What, now_ms: int) -> bytes | None:
        """A file as a whole, None where there is none. That this person may see the camera is looked at before."""
        alert, place = self._placed(alert_id)
        data = self._files.read(place.file(_FILES[what])) if place is not None else None
        if data is not None and alert is not None:
            self.looked(who, alert, what, now_ms)
        return data

    def part(self, who: Who, alert_id: str, what: What, first: int, end: int | None, now_ms: int) -> Part | None:
        """Bytes of a file from `first` to before `end` (None: its end), PART_BYTES at most. See `read`."""
        alert, place = self._placed(alert_id)
        if alert is None or place is None:
            return None
        path = place.file(_FILES[what])
        size = self._files.size(path)
        if size is None:
            return None
        until = min(size, first + PART_BYTES, size if end is None else end)
        data = self._files.part(path, first, until) if first < size else b""
        if data is None:
            return None
        self.looked(who, alert, what, now_ms)
        return Part(data, first, size)

    def bundle(self, who: Who, alert_id: str, now_ms: int) -> bytes:
        """Everything about an alert as one signed file, for who may export; that is audited before it leaves.

        Raises NoEvidenceError, ContractError, VaultError, OSError.
        """
        alert = self._store.alerts.body(alert_id)
        if alert is None:
            raise NoEvidenceError("there is no such alert")
        answers = self._store.answers.of(alert_id)
        actions = Actions(
            row=self._store.alerts.get(alert_id),
            revisions=tuple(self._store.alerts.history(alert_id)),
            answers=tuple(answers),
            cases=tuple(self._store.answers.cases_of(alert_id)),
        )
        made = exported(
            self._files, self._key, alert, msgspec.json.encode(actions), made_at_ms=now_ms, made_for=who.name
        )
        details = {"camera": alert.camera, "sha256": hashlib.sha256(made).hexdigest(), "key": str(self._key.public)}
        self._store.audit.record(at_ms=now_ms, who=who.name, action="export", subject=alert_id, details=details)
        return made

    @property
    def public_key(self) -> PublicKey:
        """What checks this site's bundles; raises VaultError."""
        return self._key.public

    def frame(self, alert_id: str) -> bytes | None:
        """The kept frame for what is cut out of it: whose look that is, is audited there."""
        _, place = self._placed(alert_id)
        return self._files.read(place.file(paths.FRAME)) if place is not None else None

    def snapshot(self, alert: Alert) -> bytes | None:
        """The drawn picture for who sends it on, and audits that."""
        place = _place(alert)
        return self._files.read(place.file(paths.SNAPSHOT)) if place is not None else None

    def kept(self, alert: Alert) -> Kept | None:
        """What the alert's picture shows, None where none is kept (yet)."""
        return self._said(alert, paths.SEEN, Kept)

    def missed(self, alert: Alert) -> Missed | None:
        """Why there is no picture, if evidence has said."""
        return self._said(alert, paths.MISSED, Missed)

    def clip(self, alert: Alert) -> ClipInfo | None:
        """What the alert's clip shows, or why there is none; None where evidence has not said (yet)."""
        return self._said(alert, paths.CLIP_INFO, ClipInfo)

    def _said(self, alert: Alert, name: str, kind: type[S]) -> S | None:
        place = _place(alert)
        data = self._files.read(place.file(name)) if place is not None else None
        try:
            return from_json(data, kind) if data is not None else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def _placed(self, alert_id: str) -> tuple[Alert | None, Place | None]:
        alert = self._store.alerts.body(alert_id)
        return alert, _place(alert) if alert is not None else None

    def looked(self, who: Who, alert: Alert, what: str, now_ms: int) -> None:
        """Somebody saw this of an alert: in the audit, once a look."""
        if self._is_new(who.name, alert.id, what, now_ms):
            details = {"picture": what, "camera": alert.camera}
            self._store.audit.record(at_ms=now_ms, who=who.name, action="look", subject=alert.id, details=details)

    def _is_new(self, name: str, alert_id: str, what: str, now_ms: int) -> bool:
        key = (name, alert_id, what)
        with self._lock:
            last_ms = self._looks.pop(key, -SAME_LOOK_MS)
            new = now_ms - last_ms >= SAME_LOOK_MS
            self._looks[key] = now_ms if new else last_ms
            while len(self._looks) > MAX_LOOKS:
                self._looks.popitem(last=False)
        return new


def _place(alert: Alert) -> Place | None:
    """Where the alert's evidence lies; None where its names are no folder's, so that there can be none."""
    try:
        return paths.place_of(alert)
    except ContractError:
        return None
