"""The config changed while everything runs: checked, versioned, undone, told to the jobs and agents that it is for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from console.overlay import Body, Routes, body_of, laid_over, objects_of, with_routes
from console.rights import Permission, Who, need_all
from console.store.audit import AuditAction
from console.store.objects import SETTINGS, Kind, ObjectKey, ObjectVersion
from console.store.store import Store
from contracts import controls, topics
from contracts.codec import encode
from contracts.config import AlertBudget, Arming, Camera, Config, Line, Name, Zone
from contracts.config_check import check
from contracts.controls import (
    Change,
    Control,
    EdgeChange,
    EdgeControl,
    Removed,
    RunCamera,
    SetArming,
    SetCamera,
    SetLine,
    SetRule,
    SetZone,
    StopCamera,
)
from contracts.decoding import convert
from contracts.errors import ConfigError, VedetteError
from contracts.slots import slots

LEAD_MS = 500
"""A change is in force from now and this on: it has to be with the jobs before the frames that it is for."""


_NEEDED: dict[Kind, Permission] = {"camera": "configure", "routes": "configure", "budget": "report"}
"""Whom an object is for, where it is not everybody's: where pictures come from, and where messages go to."""


_ACTIONS: dict[Kind, AuditAction] = {
    "camera": "change camera",
    "zone": "change zone",
    "line": "change line",
    "rule": "change rule",
    "arming": "change arming",
    "routes": "change routes",
    "budget": "change budget",
}


class ConflictError(VedetteError):
    """Somebody changed it meanwhile, or it is the file's and not adopted yet."""


class NoObjectError(VedetteError):
    """There is no such object."""


class ObjectView(msgspec.Struct, frozen=True, kw_only=True):
    """One object as it is in force. The file's has version 0; `at_ms` and `who` tell the last change."""

    kind: Kind
    camera: str
    name: str
    origin: Literal["file", "console"]
    version: int
    at_ms: int
    who: str
    note: str
    body: msgspec.Raw


class Changes:
    """The config of the file with what the console changed of it. `wake` is called when the outbox has something."""

    def __init__(self, store: Store, config: Config, clock_ms: Callable[[], int], wake: Callable[[], None]) -> None:
        self._store = store
        self._file = config
        self._clock_ms = clock_ms
        self._wake_outbox = wake
        self._lock = threading.Lock()
        self._known: Config | None = None
        self._changes = 0
        self._listeners: list[Callable[[Config], None]] = []

    def config(self) -> Config:
        """The config as it is in force now; read once a change: this console is the only one that writes."""
        with self._lock:
            known, changes = self._known, self._changes
        if known is None:
            with self._store.database.read() as connection:
                known = self._config(connection)
            with self._lock:
                self._known = known if self._changes == changes else None
        return known

    def listen(self, listener: Callable[[Config], None]) -> None:
        """Call `listener` with the config in force, now and after each change."""
        self._listeners.append(listener)
        listener(self.config())

    def views(self, who: Who) -> list[ObjectView]:
        """Every object in force that this person may see: the site's, and those of their cameras."""
        current = self._store.objects.current()
        config = laid_over(self._file, current.values())
        found = []
        for key, body in objects_of(config).items():
            if key.camera and not who.sees(key.camera):
                continue
            if not who.may(_NEEDED.get(key.kind, "see")) or (key.kind == "routes" and who.cameras is not None):
                continue
            version = current.get(key)
            found.append(_view(key, body, version))
        return found

    def view(self, who: Who, key: ObjectKey) -> ObjectView:
        """One object; raises NoObjectError."""
        for one in self.views(who):
            if ObjectKey(one.kind, one.camera, one.name) == key:
                return one
        raise NoObjectError(f"there is no {_words(key)}")

    def versions(self, who: Who, key: ObjectKey) -> list[ObjectVersion]:
        """What the console wrote of one object, the latest first; raises NoObjectError where it wrote nothing."""
        if key.camera and not who.sees(key.camera):
            raise NoObjectError(f"there is no {_words(key)}")
        who.need(_NEEDED.get(key.kind, "see"))
        if key.kind == "routes":
            need_all(who)
        found = self._store.objects.versions(key)
        if not found and key not in objects_of(self._file):
            raise NoObjectError(f"there is no {_words(key)}")
        return found

    def adopt(self, who: Who, key: ObjectKey) -> ObjectView:
        """Take an object over from the file: from now on the console's word counts. Once more changes nothing."""
        self._may(who, key)
        with self._store.database.write() as connection:
            current = self._store.objects.current_in(connection).get(key)
            body = objects_of(self._file).get(key)
            if current is None and body is None:
                raise NoObjectError(f"there is no {_words(key)}")
            if current is None:
                if isinstance(body, Camera):
                    body = replace(body, slot=slots(self._config(connection))[key.camera])
                self._write(connection, who, key, body, "adopted from the file", None)
        self._wake()
        return self.view(who, key)

    def put(self, who: Who, key: ObjectKey, body: Body, *, note: str = "", expected: int | None = None) -> ObjectView:
        """Make or change an object. `expected` is the version that the change was made on (0: none, or the file's).

        Raises ConfigError with the path of what is wrong, ConflictError, ForbiddenError.
        """
        self._may(who, key, body)
        _check_name(key)
        with self._store.database.write() as connection:
            current = self._store.objects.current_in(connection).get(key)
            version = current.version if current else 0
            if expected is not None and expected != version:
                raise ConflictError(f"it was changed meanwhile: version {version}, not {expected}")
            if current is None and key.kind not in SETTINGS and key in objects_of(self._file):
                raise ConflictError(f"the {_words(key)} is from the file: adopt it first")
            if isinstance(body, Camera):
                body = self._placed(connection, key.camera, body)
            self._write(connection, who, key, body, note, current)
            check(self._config(connection))
        self._wake()
        return self.view(who, key)

    def remove(self, who: Who, key: ObjectKey, *, note: str = "") -> None:
        """Remove an object; what still refers to it is a ConfigError."""
        self._may(who, key)
        with self._store.database.write() as connection:
            current = self._store.objects.current_in(connection).get(key)
            if key.kind in SETTINGS or (current is None and key not in objects_of(self._file)):
                raise NoObjectError(f"there is no {_words(key)}")
            if current is None:
                raise ConflictError(f"the {_words(key)} is from the file: adopt it first")
            if current.body is None:
                raise NoObjectError(f"there is no {_words(key)}")
            for part in self._parts(connection, key):
                self._write(connection, who, part.key, None, f"camera {key.camera} removed", part)
            self._write(connection, who, key, None, note, current)
            check(self._config(connection))
        self._wake()

    def put_all(self, who: Who, bodies: Sequence[tuple[ObjectKey, Body | None]], *, note: str) -> None:
        """Make, change and remove (None) objects in this order, all or none; what is the file's is adopted with it.

        Raises ConfigError with the path of what is wrong, or ForbiddenError.
        """
        with self._store.database.write() as connection:
            for key, body in bodies:
                who.need("arm" if key.kind == "arming" else "configure", key.camera or None)
                _check_name(key)
                current = self._store.objects.current_in(connection)
                if isinstance(body, Camera):
                    body = self._placed(connection, key.camera, body)
                for part in self._parts(connection, key) if body is None else ():
                    self._write(connection, who, part.key, None, note, part)
                self._write(connection, who, key, body, note, current.get(key))
            check(self._config(connection))
        self._wake()

    def undo(self, who: Who, key: ObjectKey, version: int | None = None) -> ObjectVersion:
        """Bring back an earlier version (None: the one before the last), as a new one."""
        self._may(who, key)
        with self._store.database.write() as connection:
            current = self._store.objects.current_in(connection).get(key)
            if current is None:
                raise NoObjectError(f"nothing of the {_words(key)} was changed here")
            wanted = current.version - 1 if version is None else version
            found = {one.version: one.body for one in self._store.objects.versions(key)}
            if wanted and wanted not in found:
                raise NoObjectError(f"the {_words(key)} has no version {wanted}")
            text = found[wanted] if wanted else None
            body = body_of(key.kind, text) if text is not None else None
            if not wanted:
                body = objects_of(self._file).get(key)
            self._may(who, key, body)
            self._write(connection, who, key, body, f"back to version {wanted}", current)
            check(self._config(connection))
        self._wake()
        return self._store.objects.versions(key)[0]

    def _may(self, who: Who, key: ObjectKey, body: Body | None = None) -> None:
        """Whoever sees not all cameras changes nothing that other cameras are concerned by."""
        permission: Permission = "arm" if key.kind == "arming" else "configure"
        who.need(permission, key.camera or None)
        if key.kind == "camera":
            return
        if key.kind in ("routes", "budget"):
            need_all(who)
        if key.camera and key.camera not in self.config().cameras:
            raise NoObjectError(f"there is no camera {key.camera}")
        if who.cameras is None or key.camera:
            return
        known = objects_of(self.config()).get(key)
        for one in (body, known):
            cameras = getattr(one, "cameras", ()) if one is not None else ("",)
            if one is not None and (not cameras or not all(who.sees(camera) for camera in cameras)):
                who.need(permission, next((c for c in cameras if not who.sees(c)), "of others"))

    def _placed(self, connection: Connection, name: str, camera: Camera) -> Camera:
        """The camera without what is not its own, and with its slot, so that its pictures stay in one partition."""
        bare = replace(camera, zones={}, lines={}, maintenance=False)
        if bare.slot is not None:
            return bare
        config = self._config(connection)
        return replace(bare, slot=slots(replace(config, cameras={name: bare, **config.cameras}))[name])

    def _parts(self, connection: Connection, key: ObjectKey) -> list[ObjectVersion]:
        """A camera's zones and lines that the console keeps: they go with it."""
        if key.kind != "camera":
            return []
        current = self._store.objects.current_in(connection)
        mine = (one for one in current.values() if one.kind in ("zone", "line") and one.camera == key.camera)
        return [one for one in mine if one.body is not None]

    def _wake(self) -> None:
        with self._lock:
            self._known, self._changes = None, self._changes + 1
        self._wake_outbox()
        for listener in self._listeners:
            listener(self.config())

    def _config(self, connection: Connection) -> Config:
        return laid_over(self._file, self._store.objects.current_in(connection).values())

    def _write(
        self,
        connection: Connection,
        who: Who,
        key: ObjectKey,
        body: Body | None,
        note: str,
        current: ObjectVersion | None,
    ) -> None:
        """A new version, the audit's entry and the control for the jobs, all in one transaction."""
        if isinstance(body, Routes):  # whole: `laid_over` leaves out what leads nowhere
            check(with_routes(self._config(connection), body.routes))
        now_ms = max(self._clock_ms(), current.at_ms + 1 if current else 0)
        text = msgspec.json.encode(body).decode() if body is not None else None
        version = ObjectVersion(
            **key._asdict(),
            version=current.version + 1 if current else 1,
            at_ms=now_ms,
            who=who.name,
            note=note.replace("\0", "\ufffd"),
            body=text,
        )
        self._store.objects.add(connection, version)
        if change := _change(key, body):
            self._tell_jobs(connection, change, now_ms)
        if key.kind == "camera":
            told = RunCamera(camera=key.camera, spec=body, session=now_ms) if isinstance(body, Camera) else None
            self._tell_agent(connection, told or StopCamera(camera=key.camera))
        details = {"version": version.version, "note": note, "body": text}
        subject = "/".join(key)
        action = _ACTIONS[key.kind]
        self._store.audit.add(connection, at_ms=now_ms, who=who.name, action=action, subject=subject, details=details)

    def _tell_jobs(self, connection: Connection, change: Change, now_ms: int) -> None:
        control = Control(
            site=self._file.site.name,
            origin="console",
            # By the clock: the highest counts, also against those that a database that is gone had sent.
            version=now_ms,
            effective_from_ms=now_ms + LEAD_MS,
            change=change,
        )
        self._store.answers.send(connection, topics.CONTROLS, controls.key(change), encode(control))

    def _tell_agent(self, connection: Connection, change: EdgeChange) -> None:
        site = self._file.site.name
        record = encode(EdgeControl(site=site, change=change))
        self._store.answers.send(connection, topics.EDGE_CONTROLS, controls.edge_key(site, change), record)


def _view(key: ObjectKey, body: Body, version: ObjectVersion | None) -> ObjectView:
    return ObjectView(
        **key._asdict(),
        origin="console" if version else "file",
        version=version.version if version else 0,
        at_ms=version.at_ms if version else 0,
        who=version.who if version else "",
        note=version.note if version else "",
        body=msgspec.Raw(msgspec.json.encode(body)),
    )


def _change(key: ObjectKey, body: Body | None) -> Change | None:
    """What the jobs are told; None: it is the console's own."""
    match body:
        case Routes() | AlertBudget():
            return None
        case Camera():
            return SetCamera(camera=key.camera, spec=replace(body, inputs=()))
        case Zone():
            return SetZone(camera=key.camera, name=key.name, zone=body)
        case Line():
            return SetLine(camera=key.camera, name=key.name, line=body)
        case Arming():
            return SetArming(camera=key.camera, arming=body)
        case None:
            assert key.kind != "arming" and key.kind != "routes" and key.kind != "budget"  # noqa: PT018
            return Removed(kind=key.kind, camera=key.camera, name=key.name)
        case _:
            return SetRule(name=key.name, rule=body)


def _check_name(key: ObjectKey) -> None:
    if key.kind in SETTINGS:
        return
    name = key.camera if key.kind == "camera" else key.name
    try:
        convert(name, Name)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{key.kind}s.{name[:80]}", "a name has a-z, 0-9, - and _ only, up to 64") from error


def _words(key: ObjectKey) -> str:
    of_camera = f" of camera {key.camera}" if key.camera else ""
    return f"{key.kind} {key.name}{of_camera}" if key.name else f"{key.kind}{of_camera}"
