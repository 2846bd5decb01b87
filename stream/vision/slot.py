"""The models of one slot in a process: opened once, shared by all subtasks, each in force from a time of frames on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from contracts.controls import Control
from contracts.errors import ContractError, ModelError
from contracts.fields import Stage
from contracts.manifest import ModelManifest
from contracts.messages import Frame
from contracts.metrics import MODEL_CANDIDATE, MODEL_ERRORS, MODEL_INFO, MODEL_SWAPS, Metrics
from contracts.model_reports import ModelState
from stream.rollout import Choice, Placed, Plan
from stream.vision.session import Session, SessionOptions

log = logging.getLogger(__name__)

LINGER_MS = 60_000
"""A live frame is not older; a late one may be, and keeps its model for as long as frames of its time come."""
MOST_HELD = 5
"""Sessions at once, some 40 MB each: in service, to come, a candidate, and two that went."""
MOST_FAILURES = 3
"""A model that fails on so many frames in a row is used no more, where there is another one."""


class Opened(Protocol):
    """A model that is open."""

    @property
    def manifest(self) -> ModelManifest:
        """What it says of itself."""

    @property
    def provider(self) -> str:
        """What it runs on."""


M = TypeVar("M", bound=Opened)
T = TypeVar("T")


class Chosen(NamedTuple, Generic[M]):
    """The models for a frame, and all that are open."""

    choice: Choice
    sessions: Mapping[str, M]


@dataclass(frozen=True)
class SlotStatus:
    """How it is with the models: `state` and `reason` are of the promotion that came last.

    `watched` is what is in service, while it may be taken back for the one before it.
    """

    in_service: str
    candidate: str = ""
    watched: str = ""
    stage: Stage = "everywhere"
    version: int = 0
    state: ModelState = "ready"
    reason: str = ""


@dataclass
class _Health:
    """Of one model: failures in a row, when a frame wanted it last, and why it can't be used."""

    failures: int = 0
    wanted_ms: int = 0
    refused: str = ""
    failing: str = ""
    barred: bool = False


def wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Slot(Generic[M]):
    """Frames are chosen for by `choose`; promotions come by `take`, and are opened by `settle` before their time."""

    def __init__(
        self,
        open_: Callable[[ModelManifest, Path], M],
        metrics: Metrics,
        clock: Callable[[], int] = wall_ms,
        folder_of: Callable[[ModelManifest, str], Path] = lambda _, folder: Path(folder),
    ) -> None:
        """`open_` opens a model, or raises ModelError. `folder_of` gives the folder of a promoted one, or raises
        ModelError for one that is not to be trusted.
        """
        self._opening = open_
        self._folder_of = folder_of
        self._metrics = metrics
        self._clock = clock
        self._settling = threading.Lock()
        self._plan: Plan | None = None
        self._sessions: Mapping[str, M] = {}
        self._health: dict[str, _Health] = {}
        self._shown: SlotStatus | None = None

    @property
    def name(self) -> str:
        """The slot's, by which `controls` keys its models."""
        return self._begun().slot

    def swap(self, manifest: ModelManifest, folder: Path) -> M:
        """Begin with a model, or put another one at once in the place of all; ModelError leaves the one before."""
        plan = Plan.of(manifest, str(folder))
        placed = plan.service[0]
        with self._settling:
            session = self._sessions.get(placed.key) or self._open(placed)
            self._plan, self._sessions = plan, {placed.key: session}
        self.tidy()
        return session

    def get(self) -> M:
        """The session in service by now; hold on to it for one frame only."""
        return self._sessions[self._in_service().key]

    def take(self, control: Control) -> None:
        """One promotion more, or the end of one; nothing is opened yet."""
        before = self._begun()
        self._plan = before.take(control)
        if self._plan is not before:
            # What is promoted once more is tried once more.
            for health in list(self._health.values()):
                if health.refused or health.barred:
                    health.failures, health.refused, health.failing, health.barred = 0, "", "", False

    def settle(self) -> None:
        """Open what the plan needs and is not open yet; what is refused leaves the others as they are."""
        with self._settling:
            while missing := self._missing():
                self._try(missing)
        self.tidy()

    def choose(self, frame: Frame) -> Chosen[M]:
        """The models for a frame; raises ModelError where there is none."""
        plan, sessions = self._begun(), self._sessions
        choice = plan.choose(frame, self._usable)
        if choice is None:
            raise ModelError("no model is in service yet")
        self._of(choice.serves).wanted_ms = self._clock()
        return Chosen(choice, sessions)

    def first(self, choice: Choice, work: Callable[[Placed], T], failed: Callable[[Placed], None]) -> T:
        """What `work` gives with the first of the frame's models that doesn't fail; the others are told to `failed`.

        Raises ContractError for a frame that no model can have, and what the last one raised.
        """
        *others, last = (choice.serves, *choice.instead)
        for placed in others:
            try:
                done = work(placed)
            except ContractError:
                raise
            except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common public base
                self.failed(placed, error)
                failed(placed)
            else:
                self.worked(placed)
                return done
        done = work(last)
        self.worked(last)
        return done

    def worked(self, placed: Placed) -> None:
        """The model detected a frame."""
        health = self._of(placed)
        if health.failures:
            health.failures = 0

    def failed(self, placed: Placed, error: Exception) -> None:
        """The model failed on a frame: said, and after MOST_FAILURES in a row it is used no more."""
        health, name = self._of(placed), placed.manifest.id
        health.failures += 1
        health.failing = f"{name} failed on a frame: {error}"[:500]
        self._metrics.counter(MODEL_ERRORS, placed.manifest.name, placed.manifest.version).inc()
        if health.failures == 1:
            log.warning("%s", health.failing)
        others = any(self._usable(one) for one in self._begun().service if one.key != placed.key)
        if health.failures >= MOST_FAILURES and others and not health.barred:
            health.barred = True
            self._metrics.counter(MODEL_SWAPS, "barred").inc()
            log.error("model %s failed on %d frames in a row and is used no more: %s", name, MOST_FAILURES, error)

    def status(self) -> SlotStatus:
        """What is in service by now, and how it is with the last promotion."""
        in_service, candidate = self._begun().now(self._clock())
        watched = self._begun().watched(self._clock())
        last = candidate or in_service
        state, reason = self._state(last)
        return SlotStatus(
            in_service=self._in_service().manifest.id,
            candidate=candidate.manifest.id if candidate else "",
            watched=watched.manifest.id if watched else "",
            stage=last.change.stage,
            version=max(last.version, 0),
            state=state,
            reason=reason,
        )

    def tidy(self) -> None:
        """Let go what no frame wants any more, and show what is in service by now."""
        plan, now_ms = self._begun(), self._clock()
        needed = {one.key for one in plan.needed(now_ms - LINGER_MS, self._works)}
        with self._settling:
            spare = sorted(set(self._sessions) - needed, key=lambda key: self._health[key].wanted_ms)
            least = len(self._sessions) - MOST_HELD
            for number, key in enumerate(spare):
                if number < least or self._health[key].wanted_ms < now_ms - LINGER_MS:
                    self._sessions = {other: session for other, session in self._sessions.items() if other != key}
        self._show(self.status())

    def _missing(self) -> Placed | None:
        """The next that is to be opened: where one was refused, that may be the one before it."""
        needed = self._begun().needed(self._clock() - LINGER_MS, self._works)
        return next((one for one in needed if one.key not in self._sessions and not self._of(one).refused), None)

    def _try(self, placed: Placed) -> None:
        try:
            session = self._open(placed)
        except ModelError as error:
            self._of(placed).refused = str(error)
            log.error("model %s refused: %s", placed.manifest.id, error)
            return
        late_ms = self._clock() - placed.from_ms
        if late_ms > 0:
            log.info("model %s is ready %d ms after its time", placed.manifest.id, late_ms)
        self._sessions = {**self._sessions, placed.key: session}

    def _open(self, placed: Placed) -> M:
        try:
            begun_with = placed.version < 0
            folder = placed.change.folder
            where = Path(folder) if begun_with else self._folder_of(placed.manifest, folder)
            session = self._opening(placed.manifest, where)
        except ModelError:
            self._metrics.counter(MODEL_SWAPS, "refused").inc()
            raise
        self._metrics.counter(MODEL_SWAPS, "taken").inc()
        log.info("model %s is open on %s", placed.manifest.id, session.provider)
        self._of(placed).wanted_ms = self._clock()
        return session

    def _show(self, status: SlotStatus) -> None:
        before, self._shown = self._shown, status
        if before == status:
            return
        for shown, value in ((before, 0), (status, 1)):
            if shown is not None:
                self._metrics.gauge(MODEL_INFO, *shown.in_service.rsplit("@", 1)).set(value)
            if shown is not None and shown.candidate:
                self._metrics.gauge(MODEL_CANDIDATE, *shown.candidate.rsplit("@", 1), shown.stage).set(value)
        if before is None or before.in_service != status.in_service:
            log.info("model %s in service", status.in_service)
        if status.candidate and (before is None or before.candidate != status.candidate):
            log.info("model %s stands beside it as %s", status.candidate, status.stage)

    def _state(self, placed: Placed) -> tuple[ModelState, str]:
        health = self._of(placed)
        if health.refused:
            return "refused", health.refused
        if health.failing:
            return "failing", health.failing
        return ("ready", "") if placed.key in self._sessions else ("loading", "")

    def _in_service(self) -> Placed:
        """What serves all but a canary's cameras by now."""
        usable = [one for one in self._begun().service if self._usable(one)]
        if not usable:
            raise ModelError("no model is in service yet")
        return ([one for one in usable if one.from_ms <= self._clock()] or usable[:1])[-1]

    def _begun(self) -> Plan:
        if self._plan is None:
            raise ModelError("no model is in service yet")
        return self._plan

    def _of(self, placed: Placed) -> _Health:
        return self._health.setdefault(placed.key, _Health())

    def _works(self, placed: Placed) -> bool:
        health = self._of(placed)
        return not health.barred and not health.refused

    def _usable(self, placed: Placed) -> bool:
        return placed.key in self._sessions and not self._of(placed).barred


class ModelSlot(Slot[Session]):
    """The detectors of a process."""

    def __init__(
        self,
        options: SessionOptions,
        metrics: Metrics,
        clock: Callable[[], int] = wall_ms,
        folder_of: Callable[[ModelManifest, str], Path] = lambda _, folder: Path(folder),
    ) -> None:
        super().__init__(lambda manifest, folder: Session.open(manifest, folder, options), metrics, clock, folder_of)
