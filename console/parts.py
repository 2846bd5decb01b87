"""The console's parts, as the API and the wiring hand them around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from archive.evidence.files import Files
from console.agents import AgentDesk
from console.auth.gate import Gate
from console.auth.oidc import OidcClient
from console.changes import Changes
from console.consumer import AlertConsumer
from console.evidence import EvidenceReader
from console.evidence_news import EvidenceNews
from console.exchange import Exchange
from console.explanations import Explanations
from console.history import History
from console.hub import Hub
from console.live.fleet import Fleet
from console.missed import Missed
from console.models.desk import ModelDesk
from console.notify.notifier import Notifier
from console.outbox import Outbox
from console.people.parts import PeopleParts
from console.plan import Plan
from console.previews import Previews
from console.probes import Probes
from console.silencing import Silences
from console.snoozes import Snoozes
from console.store.store import Store
from console.upkeep import Upkeep
from contracts.config import Config


@dataclass(frozen=True)
class Parts:
    """Everything that a request may need. `clock_ms` is the time, `secure` whether browsers come over TLS."""

    config: Config
    store: Store
    hub: Hub
    gate: Gate
    oidc: OidcClient | None
    changes: Changes
    exchange: Exchange
    consumer: AlertConsumer
    outbox: Outbox
    probes: Probes
    notifier: Notifier
    previews: Previews
    upkeep: Upkeep
    registry: CollectorRegistry
    fleet: Fleet
    clock_ms: Callable[[], int]
    people: PeopleParts
    files: Files
    evidence: EvidenceReader
    evidence_news: EvidenceNews
    history: History
    plan: Plan
    silences: Silences
    snoozes: Snoozes
    missed: Missed
    explanations: Explanations
    models: ModelDesk
    agents: AgentDesk
    address: str
    secure: bool
