"""Puts the console together: the only place that knows all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from archive.evidence.files import KEY_FILE, Files, files_of
from archive.history.mirror import mirror_of
from archive.history.search import Search
from archive.registry import registry_of
from archive.sightings.thread import sightings_root
from archive.watch_list import WatchList
from bus.follower import Follower
from console.agents import AgentDesk
from console.api import (
    accounts,
    agents,
    alerts,
    base,
    budget,
    cameras,
    evidence,
    exchange,
    figures,
    models,
    notifications,
    objects,
    people,
    search,
    session,
    sightings,
    suppressions,
    system,
)
from console.auth.gate import Gate
from console.auth.guard import Guard
from console.auth.oidc import OidcClient
from console.changes import Changes
from console.consumer import AlertConsumer
from console.evidence import EvidenceReader
from console.evidence_news import EvidenceNews
from console.exchange import Exchange
from console.explanations import Explanations
from console.history import History
from console.hub import Hub
from console.live.figures import FleetFigures
from console.live.fleet import Fleet
from console.live.reader import LiveReader
from console.live.veil import Veil
from console.live.wall import Wall
from console.missed import Missed
from console.models.desk import ModelDesk
from console.notify.notifier import Notifier
from console.outbox import Outbox
from console.pages.desk import Desk
from console.pages.mount import add_pages
from console.parts import Parts
from console.people.parts import PeopleParts, build_people
from console.plan import Plan
from console.previews import Previews
from console.probes import Probes
from console.secrets import Secrets
from console.signer.signing import SignerSocket
from console.silencing import Silences, Silencing
from console.snoozes import Snoozes
from console.store.store import Store
from console.upkeep import Upkeep, meter
from contracts import topics
from contracts.config import Config, detect_of
from contracts.face_models import face_manifests
from contracts.metrics import Metrics
from telemetry import Tracer
from vault import MasterKey, SiteKey


@dataclass(frozen=True)
class Place:
    """Where the console is: its broker, its state folder, its database and the address that browsers use.

    `master` wraps all keys; without it nobody can be enrolled. `folder` is the config's: paths in it begin there.
    """

    bootstrap: str
    state: Path
    database: str
    address: str
    master: MasterKey | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    tracer: Tracer = field(default_factory=Tracer)

    @property
    def archive(self) -> Path:
        """The state folder of evidence and history, beside ours."""
        return self.state.parent / "archive"


@dataclass(frozen=True)
class _Core:
    """What all other parts stand on."""

    config: Config
    place: Place
    clock_ms: Callable[[], int]
    registry: CollectorRegistry
    measured: Metrics
    store: Store
    hub: Hub
    outbox: Outbox
    changes: Changes
    files: Files
    evidence: EvidenceReader
    secrets: Secrets


def _core(config: Config, place: Place, clock_ms: Callable[[], int]) -> _Core:
    registry = CollectorRegistry()
    store, hub = Store(place.database, notifies=bool(config.console.notifications.channels)), Hub()
    outbox = Outbox(place.bootstrap, store, clock_ms)
    files = files_of(config.evidence, place.archive)
    return _Core(
        config=config,
        place=place,
        clock_ms=clock_ms,
        registry=registry,
        measured=Metrics(registry),
        store=store,
        hub=hub,
        outbox=outbox,
        changes=Changes(store, config, clock_ms, outbox.wake),
        files=files,
        evidence=EvidenceReader(store, files, SiteKey(place.environment, place.archive / KEY_FILE)),
        secrets=Secrets(place.environment),
    )


def _notifier(core: _Core) -> Notifier:
    return Notifier(
        core.config,
        in_force=core.changes.config,
        store=core.store,
        address=core.place.address,
        evidence=core.evidence,
        secrets=core.secrets,
        measured=core.measured,
        tracer=core.place.tracer,
        clock_ms=core.clock_ms,
    )


def _people(core: _Core) -> PeopleParts:
    place, in_bucket = core.place, core.config.evidence.s3 is not None
    return build_people(
        *(core.config, core.store, core.hub, core.evidence),
        bootstrap=place.bootstrap,
        models=face_manifests(core.config, place.folder),
        sightings=place.state / "sightings" if in_bucket else sightings_root(place.archive),
        master=place.master,
        config_now=core.changes.config,
        clock_ms=core.clock_ms,
        wake=core.outbox.wake,
    )


def build(config: Config, place: Place, clock_ms: Callable[[], int]) -> Parts:
    """The parts; nothing is opened, started or connected yet."""
    core = _core(config, place, clock_ms)
    store, hub, changes, outbox, measured = core.store, core.hub, core.changes, core.outbox, core.measured
    site, bootstrap, wake = config.site.name, place.bootstrap, outbox.wake
    hub.listen(meter(measured))
    people = _people(core)
    models = ModelDesk(store, site, registry_of(config.models, clock_ms), changes.config, bootstrap, clock_ms, wake)
    fleet, gate = Fleet(site), Gate(store, config.console.session_hours)
    core.registry.register(FleetFigures(fleet, changes.config, store.agents.certificates, version("vedette"), clock_ms))
    signer = SignerSocket(Path(config.console.agents.signer)) if config.console.agents.signer else None
    return Parts(
        config=config,
        store=store,
        hub=hub,
        gate=gate,
        oidc=OidcClient(config.console.oidc, place.address, core.secrets) if config.console.oidc.issuer else None,
        changes=changes,
        exchange=Exchange(changes),
        consumer=AlertConsumer(bootstrap, store, hub, measured, clock_ms, wake, place.tracer),
        outbox=outbox,
        previews=Previews(bootstrap, changes.config, store.suppressions.read, clock_ms),
        probes=Probes(bootstrap, store, site, changes.config, clock_ms, wake),
        notifier=_notifier(core),
        upkeep=Upkeep(store, hub, config.console, measured, clock_ms, (people.step, models.step)),
        registry=core.registry,
        fleet=fleet,
        clock_ms=clock_ms,
        people=people,
        files=core.files,
        evidence=core.evidence,
        evidence_news=EvidenceNews(bootstrap, store, hub, clock_ms),
        history=History(store, Search(mirror_of(config.history, place.archive))),
        plan=Plan(place.state, store),
        models=models,
        agents=AgentDesk(config, changes.config, store, fleet, gate, signer, measured, clock_ms),
        missed=Missed(store, hub, core.evidence, site, clock_ms, wake),
        silences=Silences(store, Silencing.of(config), clock_ms, wake),
        snoozes=Snoozes(store, hub, clock_ms),
        explanations=Explanations(store, core.evidence, config, place.folder, place.archive, clock_ms),
        address=place.address,
        secure=place.address.startswith("https://"),
    )


def api(parts: Parts) -> FastAPI:
    """The API alone."""
    app = FastAPI(
        title="Vedette",
        version="1",
        description="Alerts, cameras, zones and rules.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
    )
    app.state.parts = parts
    base.install(app)
    modules = (
        *(session, evidence, alerts, suppressions, cameras, objects, exchange, people, sightings),
        *(search, figures, models, accounts, agents, notifications, budget, system),
    )
    for module in modules:
        app.include_router(module.router)
    app.add_middleware(Guard, gate=parts.gate, clock_ms=parts.clock_ms, address=parts.address)
    return app


def application(parts: Parts, bootstrap: str) -> tuple[FastAPI, LiveReader]:
    """The API and the pages, and the reader of live pictures that they need."""
    app = api(parts)
    config = parts.config
    wall = Wall({})
    watch_list = WatchList(config.site.name, config.faces.watch_lists)
    veil = Veil(watch_list, parts.people.faces)

    def know(now: Config) -> None:
        wall.know({name: detect_of(now, name).heartbeat_s or 0.0 for name in now.cameras})
        veil.know(frozenset(name for name, camera in now.cameras.items() if camera.faces.anonymise))

    parts.changes.listen(know)
    gallery = Follower(bootstrap, topics.GALLERY, watch_list.take) if config.faces.watch_lists else None
    reader = LiveReader(bootstrap, config.site.name, wall, parts.fleet, parts.clock_ms, gallery)
    add_pages(app, Desk(parts, wall, reader, veil))
    return app, reader


@contextmanager
def running(parts: Parts, reader: LiveReader) -> Iterator[None]:
    """The parts at work; the store is open already."""
    parts.history.open()
    threads = (
        parts.consumer,
        parts.evidence_news,
        parts.outbox,
        parts.upkeep,
        parts.notifier,
        parts.models,
        parts.people.feed,
        parts.people.renewal,
        reader,
    )
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for one in threads:
            one.stop()
        parts.people.frames.close()
        parts.history.close()
        parts.store.close()
