"""The site and the processes that serve it: broker, agent, jobs, console."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from contracts.config.accounts import Oidc
from contracts.config.base import AgentName, Fraction, Name, NonNegative, Period, Positive, Spec
from contracts.config.notifications import Notifications


class Arming(Spec, frozen=True, kw_only=True):
    """When rules may alert: the site's periods (empty = always), zones that are off, maintenance."""

    armed: bool = True
    schedule: tuple[Period, ...] = ()
    disarmed_zones: tuple[str, ...] = ()
    maintenance: bool = False


class Site(Spec, frozen=True, kw_only=True):
    """The place that is watched."""

    name: Name = "site"
    friendly_name: str = ""
    time_zone: str = "UTC"
    arming: Arming = Arming()


class KafkaTls(Spec, frozen=True, kw_only=True):
    """PEM files: whom the broker's certificate must be signed by, and (both or none) who we are."""

    ca: str
    certificate: str = ""
    key: str = ""


TASKS_MAX = 960
"""Of a job at most: `pipeline.max-parallelism` of k8s/base, as many as its state has key groups. A topic with more
partitions would have some that share a task, while others have one each."""


class Kafka(Spec, frozen=True, kw_only=True):
    """The broker. Without `bootstrap_servers` the embedded one is started on `port` (null: any that is free).

    Each of the two frames topics keeps an hour, but no more than `frames_gib` GiB (docs/sizing.md).
    """

    bootstrap_servers: tuple[str, ...] = ()
    tls: KafkaTls | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = 19092
    partitions: Annotated[int, Meta(ge=1, le=TASKS_MAX)] = 2
    frames_gib: Annotated[float, Meta(gt=0, le=1_048_576)] = 4.0
    heap_mb: Annotated[int, Meta(ge=128, le=1_048_576)] = 384


class Spool(Spec, frozen=True, kw_only=True):
    """The agent's disk for frames that the broker can't take."""

    max_mb: Annotated[int, Meta(ge=1, le=2**30)] = 1024
    late_fps: Positive = 20.0


class Edge(Spec, frozen=True, kw_only=True):
    """The agents. Their metrics are served on `metrics_host` (0.0.0.0: to all, as in a container).

    `traced_share` of the frames are followed from shutter to notification, by every part that is told of a collector
    (OTEL_EXPORTER_OTLP_ENDPOINT).

    `agents` are those outside the cluster: each enrols at the console and has a Kafka user of its own (docs/agents.md).
    `local_agents` are those beside the broker, by what each is called (`--name`: as its pod, node or machine). Where
    there are several, each camera names its own.
    """

    agents: tuple[Name, ...] = ()
    local_agents: tuple[AgentName, ...] = ()
    spool: Spool = Spool()
    traced_share: Fraction = 0.0
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 19101


class RolloutBounds(Spec, frozen=True, kw_only=True):
    """How much worse a candidate model may be before the stream takes it back, and from how many on it counts.

    `errors_share` of its frames may fail; a frame may take `slower` times as long; `lost_share` of a label's boxes at a
    camera may be gone and `flood` boxes a frame new; alerts may be `alerts` times as many; of the answers to them a
    share that is higher by `unwanted` may say false or nuisance. One that no frame comes to for `idle_s` goes too.
    """

    errors_share: Fraction = 0.02
    min_errors: Annotated[int, Meta(ge=1, le=1_000_000)] = 3
    slower: Annotated[float, Meta(ge=1, le=1000)] = 3.0
    min_frames: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    lost_share: Fraction = 0.5
    flood: Positive = 10.0
    min_boxes: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    alerts: Annotated[float, Meta(ge=1, le=1000)] = 3.0
    min_alerts: Annotated[int, Meta(ge=1, le=1_000_000)] = 5
    unwanted: Fraction = 0.3
    min_answers: Annotated[int, Meta(ge=1, le=1_000_000)] = 4
    idle_s: Positive = 600.0


class Drift(Spec, frozen=True, kw_only=True):
    """When a camera shows other things than it used to: `tracks` make a block, one each `apart_s` at most.

    The first `blocks` of a part of the day are what is usual; `odds` against nothing having changed are believed, which
    by chance come once in so many blocks.
    """

    tracks: Annotated[int, Meta(ge=2, le=1000)] = 25
    apart_s: NonNegative = 60.0
    blocks: Annotated[int, Meta(ge=4, le=256)] = 32
    odds: Annotated[float, Meta(gt=1, le=1e9)] = 10_000.0


class Pace(Spec, frozen=True, kw_only=True):
    """When agents are told to send less: a camera that is decided more than `behind_s` late for two minutes.

    Then it sends half as many frames a second, and so on down to the share `least` (1: always all of them; agents take
    none below 0.01).
    """

    behind_s: Positive = 10.0
    least: Annotated[float, Meta(ge=0.01, le=1)] = 0.25


class Stream(Spec, frozen=True, kw_only=True):
    """The jobs. `model` is a manifest's path (default: the bundled detector); `metrics_host` as the agent's.

    `parallelism` and `heap_mb` are of one machine: on a cluster each FlinkDeployment has its own.
    """

    model: str = ""
    parallelism: Annotated[int, Meta(ge=1, le=256)] = 1
    batch_max: Annotated[int, Meta(ge=1, le=64)] = 8
    batch_wait_ms: NonNegative = 3.0
    checkpoint_interval_s: Positive = 1.0
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 19102
    heap_mb: Annotated[int, Meta(ge=256, le=1_048_576)] = 448
    pace: Pace = Pace()
    rollout: RolloutBounds = RolloutBounds()
    drift: Drift = Drift()


class Analytics(Spec, frozen=True, kw_only=True):
    """Windows and baselines. A record more than `lateness_s` after its window's end is counted, not added."""

    window_s: Positive = 60.0
    lateness_s: NonNegative = 10.0
    baseline_weeks: Positive = 4.0
    min_windows: Annotated[int, Meta(ge=2, le=1_000_000)] = 30


class EscalateAfter(Spec, frozen=True, kw_only=True):
    """How many seconds an alert of each severity waits for its acknowledgement before it is escalated; 0 is never."""

    critical: NonNegative = 60.0
    high: NonNegative = 300.0
    medium: NonNegative = 1800.0
    low: NonNegative = 0.0
    info: NonNegative = 0.0


class AlertBudget(Spec, frozen=True, kw_only=True):
    """How many alerts an hour are wanted: of the site, of rules and of cameras (null, or none of the name: any number).

    Thresholds are suggested from the answers of the last `days`. `nuisance_cost` is what an unwanted alert costs, in
    true alerts: at 0.1, ten of them are as bad as one missed.
    """

    alerts_per_hour: Positive | None = None
    rules: dict[Name, Positive] = {}
    cameras: dict[Name, Positive] = {}
    days: Annotated[float, Meta(gt=0, le=366)] = 14.0
    nuisance_cost: Annotated[float, Meta(ge=0, le=100)] = 0.1


class Suppressions(Spec, frozen=True, kw_only=True):
    """What a "false" or "nuisance" silences: for `keep_days`, within `hours_around` of the time of day (12: always).

    Of more than `most` on one camera the oldest go.
    """

    enabled: bool = True
    keep_days: Annotated[float, Meta(gt=0, le=366)] = 14.0
    hours_around: Annotated[float, Meta(ge=0.25, le=12)] = 3.0
    most: Annotated[int, Meta(ge=1, le=1000)] = 100


class Agents(Spec, frozen=True, kw_only=True):
    """How `edge.agents` enrol: `signer` is the socket of `python -m console.signer` (empty: nobody does).

    They are told of the broker at `bootstrap_servers`, whose certificate `broker_ca` (PEM) vouches for; by default as
    `kafka` says. A certificate lasts `certificate_days` and is renewed after half of them.
    """

    signer: str = ""
    bootstrap_servers: tuple[str, ...] = ()
    broker_ca: str = ""
    certificate_days: Annotated[float, Meta(gt=0, le=365)] = 7.0


class Console(Spec, frozen=True, kw_only=True):
    """The web console and its API.

    `database` is an SQLAlchemy URL, e.g. postgresql+psycopg://vedette:{DB_PASSWORD}@db/vedette (empty: SQLite in the
    state folder). `tls_certificate` and `tls_key` are PEM files; behind a proxy that speaks TLS itself, `address` is
    the https:// address that browsers use. `keep_days` is how long alerts and their answers are kept, `session_hours`
    how long a login lasts.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 18080
    address: str = ""
    database: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    session_hours: Positive = 12.0
    keep_days: Positive = 365.0
    escalate_after_s: EscalateAfter = EscalateAfter()
    notifications: Notifications = Notifications()
    budget: AlertBudget = AlertBudget()
    suppressions: Suppressions = Suppressions()
    oidc: Oidc = Oidc()
    agents: Agents = Agents()
