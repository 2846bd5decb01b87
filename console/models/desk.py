"""Promotes and rolls back: the registry's log first, then audit and topic, which follow the log whatever was killed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from sqlalchemy import Connection

from archive.registry import (
    EVERYWHERE,
    Decision,
    Held,
    Registry,
    RegistryError,
    Standing,
    Version,
    learn,
    missing,
    take,
)
from archive.registry.log import Kind
from bus.consuming import Record
from bus.follower import Follower
from console.models.trials import Difference, Running, Trials
from console.rights import ForbiddenError, Who
from console.store.audit import AuditAction
from console.store.store import Store
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import Config
from contracts.controls import SetModel, key
from contracts.errors import ConfigError, ContractError, VedetteError
from contracts.fields import Stage
from contracts.manifest import ModelManifest
from contracts.model_reports import ModelReport

NOTED: dict[Kind, AuditAction] = {
    "registered": "model_registered",
    "gated": "model_gated",
    "promoted": "model_promoted",
    "rolled_back": "model_rolled_back",
}
"""How decisions of the registry stand in the audit."""


log = logging.getLogger(__name__)

LOOK_MS = 30_000
"""How often the log is held against the topic when nothing came."""


class NoRegistryError(ConfigError):
    """The config names no registry."""

    def __init__(self) -> None:
        super().__init__("models.folder", "no registry of models is named")


class RegistryAwayError(VedetteError):
    """The registry's folder or bucket can't be read now."""


class ModelsView(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of the site's models. `place` is empty where there is no registry.

    `told` is what the topic says is in service, by what it is in service as.
    """

    place: str
    slots: dict[str, Standing]
    versions: tuple[Version, ...]
    told: dict[str, str]
    running: tuple[Running, ...]
    differences: tuple[Difference, ...]


class ModelDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its card (Markdown) and the gate's last report, for people and as figures (null: none)."""

    manifest: ModelManifest
    decisions: tuple[Decision, ...]
    card: str
    report: str
    figures: msgspec.Raw


class ModelDesk:
    """The models of one site. `start` follows `controls` and `model-reports`; `step` is called every second."""

    def __init__(
        self,
        store: Store,
        site: str,
        registry: Registry | None,
        config_now: Callable[[], Config],
        bootstrap: str,
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self.site, self.registry = site, registry
        self._store = store
        self._config_now, self._clock_ms, self._wake = config_now, clock_ms, wake
        self._lock = threading.Lock()
        self._topic: Held = {}
        self._trials = Trials(site)
        self._noted = 0
        self._looked_at_ms = 0
        self._controls = Follower(bootstrap, topics.CONTROLS, self._take_control, self._settled)
        self._reports = Follower(bootstrap, topics.MODEL_REPORTS, self._take_report)
        self._known = False

    def start(self) -> None:
        """Begin to follow; returns at once."""
        self._controls.begin()
        self._reports.begin()

    def stop(self) -> None:
        """End."""
        self._controls.stop()
        self._reports.stop()

    def view(self, who: Who) -> ModelsView:
        """All of it; of differences those of the cameras that this person sees. Raises RegistryError and -AwayError."""
        who.need("see")
        registry = self.registry
        with _reading():
            slots = registry.standing(self.site) if registry is not None else {}
            versions = tuple(registry.versions()) if registry is not None else ()
        running = self._trials.running(self._clock_ms())
        trials = {one.candidate for one in running}
        trials |= {now.candidate.model for now in slots.values() if now.candidate is not None}
        return ModelsView(
            place=registry.files.place("") if registry is not None else "",
            slots=slots,
            versions=versions,
            told=self._told(),
            running=running,
            differences=tuple(one for one in self._trials.differences(trials) if who.sees(one.camera)),
        )

    def detail(self, who: Who, id: str) -> ModelDetail:
        """All of one version; raises NoVersionError, NoRegistryError, RegistryAwayError."""
        who.need("see")
        registry = self._needed()
        with _reading():
            version = registry.get(id)
            gate = version.gate
            return ModelDetail(
                manifest=version.manifest,
                decisions=version.decisions,
                card=registry.card(id),
                report=registry.report(gate) if gate is not None else "",
                figures=msgspec.Raw((registry.figures(gate) if gate is not None else b"") or b"null"),
            )

    def promote(
        self, who: Who, id: str, stage: Stage, cameras: tuple[str, ...], *, share: float, why: str, forced: str = ""
    ) -> Decision:
        """Bring a version to a stage; raises ForbiddenError, RegistryError, ModelError, ConfigError for a camera."""
        who.need("promote")
        if forced:
            who.need("force_model")
        for camera in cameras:
            if camera not in self._config_now().cameras:
                raise ConfigError("cameras", f"there is no camera `{camera[:80]}`")
            who.need("promote", camera)
        if not cameras:
            _need_all(who)
        with _reading():
            decision = self._needed().promote(
                id, self.site, stage, by=who.name, why=why, cameras=cameras, share=share, forced=forced
            )
            self._follow()
        return decision

    def rollback(self, who: Who, slot: str, *, why: str, model: str = "") -> Decision:
        """Take the candidate back, or the last promotion; `model` is what the person saw there."""
        who.need("promote")
        _need_all(who)
        with _reading():
            decision = self._needed().rollback(slot, self.site, by=who.name, why=why, model=model)
            self._follow()
        return decision

    def step(self, now_ms: int) -> None:
        """Bring the log in line with what the stream took back, audit and topic in line with the log."""
        if self.registry is None or not self._known or now_ms - self._looked_at_ms < LOOK_MS:
            return
        self._looked_at_ms = now_ms
        try:
            self._follow()
        except (RegistryError, OSError) as error:
            log.warning("the registry of models can't be followed, again in %d s: %s", LOOK_MS // 1000, error)

    def _follow(self) -> None:
        registry, site = self._needed(), self.site
        with self._lock:
            if self._known:  # else what the topic says is not known yet, and `step` follows
                for model in learn(registry, site, self._topic):
                    log.warning("the stream took back %s", model)
            controls = missing(registry, site, self._topic, self._clock_ms()) if self._known else []
            with self._store.database.write() as connection:
                for decision in registry.decisions()[self._noted :]:
                    self._note(connection, decision)
                for one in controls:
                    self._store.answers.send(connection, topics.CONTROLS, key(one.change), encode(one))
            self._noted = len(registry.decisions())
            self._topic |= {key(one.change): one for one in controls}  # the outbox loses nothing
        if controls:
            self._wake()

    def _told(self) -> dict[str, str]:
        with self._lock:
            changes = {name: control.change for name, control in self._topic.items()}
        return {
            name.removeprefix("model//"): change.manifest.id
            for name, change in changes.items()
            if isinstance(change, SetModel) and change.stage == EVERYWHERE
        }

    def _note(self, connection: Connection, decision: Decision) -> None:
        """Each decision stands in the audit once, whoever decided and wherever."""
        audit, at_ms, action = self._store.audit, decision.at_ms, NOTED[decision.kind]
        if decision.site not in ("", self.site):
            return
        if not audit.has(connection, at_ms=at_ms, action=action, subject=decision.model):
            details = {name: value for name, value in msgspec.to_builtins(decision).items() if value}
            audit.add(connection, at_ms=at_ms, who=decision.by, action=action, subject=decision.model, details=details)

    def _needed(self) -> Registry:
        if self.registry is None:
            raise NoRegistryError
        return self.registry

    def _take_control(self, record: Record) -> None:
        with self._lock:
            if take(self._topic, record.value, self.site):
                self._looked_at_ms = 0

    def _settled(self) -> bool:
        self._known = True
        return False

    def _take_report(self, record: Record) -> None:
        if record.value is None:
            return
        try:
            report = decode(record.value, ModelReport)
        except ContractError as error:
            log.warning("%s: %s", topics.MODEL_REPORTS, error.reason)
            return
        self._trials.take(report)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RegistryAwayError(f"the registry can't be read: {error}") from error


def _need_all(who: Who) -> None:
    if who.cameras is not None:
        raise ForbiddenError(f"{who.name} sees only some cameras, and this is about all of them")
