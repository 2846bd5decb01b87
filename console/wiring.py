"""Puts the console together: the only place that knows all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from archive.evidence.files import KEY_FILE, files_of
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
from console.people.parts import build_people
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


def build(config: Config, place: Place, clock_ms: Callable[[], int]) -> Parts:
    """The parts; nothing is opened, started or connected yet."""
    registry = CollectorRegistry()
    measured = Metrics(registry)
    store, hub = Store(place.database, notifies=bool(config.console.notifications.channels)), Hub()
    hub.listen(meter(measured))
    outbox = Outbox(place.bootstrap, store, clock_ms)
    archive = place.state.parent / "archive"
    files, key = files_of(config.evidence, archive), SiteKey(place.environment, archive / KEY_FILE)
    reader = EvidenceReader(store, files, key)
    changes = Changes(store, config, clock_ms, outbox.wake)
    secrets = Secrets(place.environment)
    notifier = Notifier(
        config,
        in_force=changes.config,
        store=store,
        address=place.address,
        evidence=reader,
        secrets=secrets,
        measured=measured,
        tracer=place.tracer,
        clock_ms=clock_ms,
    )
    people = build_people(
        *(config, store, hub, reader),
        bootstrap=place.bootstrap,
        models=face_manifests(config, place.folder),
        sightings=place.state / "sightings" if config.evidence.s3 is not None else sightings_root(archive),
        master=place.master,
        config_now=changes.config,
        clock_ms=clock_ms,
        wake=outbox.wake,
    )
    site = config.site.name
    versions = registry_of(config.models, clock_ms)
    fleet = Fleet(site)
    registry.register(FleetFigures(fleet, changes.config, store.agents.certificates, version("vedette"), clock_ms))
    gate = Gate(store, config.console.session_hours)
    signer = SignerSocket(Path(config.console.agents.signer)) if config.console.agents.signer else None
    model_desk = ModelDesk(store, site, versions, changes.config, place.bootstrap, clock_ms, outbox.wake)
    return Parts(
        config=config,
        store=store,
        hub=hub,
        gate=gate,
        oidc=OidcClient(config.console.oidc, place.address, secrets) if config.console.oidc.issuer else None,
        changes=changes,
        exchange=Exchange(changes),
        consumer=AlertConsumer(place.bootstrap, store, hub, measured, clock_ms, outbox.wake, place.tracer),
        outbox=outbox,
        previews=Previews(place.bootstrap, changes.config, store.suppressions.read, clock_ms),
        probes=Probes(place.bootstrap, store, config.site.name, changes.config, clock_ms, outbox.wake),
        notifier=notifier,
        upkeep=Upkeep(store, hub, config.console, measured, clock_ms, (people.step, model_desk.step)),
        registry=registry,
        fleet=fleet,
        clock_ms=clock_ms,
        people=people,
        files=files,
        evidence=reader,
        evidence_news=EvidenceNews(place.bootstrap, store, hub, clock_ms),
        history=History(store, Search(mirror_of(config.history, place.state.parent / "archive"))),
        plan=Plan(place.state, store),
        models=model_desk,
        agents=AgentDesk(config, changes.config, store, fleet, gate, signer, measured, clock_ms),
        missed=Missed(store, hub, reader, site, clock_ms, outbox.wake),
        silences=Silences(store, Silencing.of(config), clock_ms, outbox.wake),
        snoozes=Snoozes(store, hub, clock_ms),
        explanations=Explanations(store, reader, config, place.folder, archive, clock_ms),
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
