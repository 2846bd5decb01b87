"""The topics: their names, what they carry, and how long they keep it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from contracts.config import Config, Kafka
from contracts.fields import Lane

DETECTIONS = "detections"
TRACKS = "tracks"
EVENTS = "events"
ALERTS = "alerts"
FEEDBACK = "feedback"
EVIDENCE = "evidence"
ANALYTICS = "analytics"
MODEL_REPORTS = "model-reports"
DRIFT = "drift"
EDGE_STATUS = "edge-status"
CONTROLS = "controls"
EDGE_CONTROLS = "edge-controls"
GALLERY = "gallery"
FACE_KEYS = "face-keys"
SIGHTINGS = "sightings"
UNKNOWNS = "unknowns"
PEOPLE_COMMANDS = "people-commands"
CAMERA_PROBES = "camera-probes"
DEAD_LETTERS = "dead-letters"

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""A 4K JPEG at quality 90 is about 3 MB; more than twice that is a fault, not a picture."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

COMPACTED_WITHIN_MS = HOUR_MS
"""After this time, and the next record of the topic, a replaced record about people is no longer in the log."""


@dataclass(frozen=True)
class TopicSpec:
    """One topic as the broker is to have it; `config` uses Kafka's own keys."""

    name: str
    partitions: int
    config: dict[str, str] = field(default_factory=dict)


def frames(site: str) -> str:
    """Frames as they are captured."""
    return f"frames.{site}"


def frames_late(site: str) -> str:
    """Frames that waited in a spool."""
    return f"frames-late.{site}"


def lane_of(topic: str) -> Lane:
    """The lane that a frames topic is."""
    return "late" if topic.startswith("frames-late.") else "live"


def has_pictures(topic: str) -> bool:
    """Whether its messages are frames: of these nothing is kept elsewhere before faces are hidden."""
    return topic.startswith((frames(""), frames_late("")))


def specs_of(config: Config, *, keep_forever: bool = False) -> tuple[TopicSpec, ...]:
    """Every topic of the config's site."""
    kafka = config.kafka
    return specs(config.site.name, kafka.partitions, frames_gib=kafka.frames_gib, keep_forever=keep_forever)


def specs(
    site: str, partitions: int, *, frames_gib: float = Kafka().frames_gib, keep_forever: bool = False
) -> tuple[TopicSpec, ...]:
    """Every topic of a site. `keep_forever` is for recorded times, which retention would delete at once."""

    def kept(
        name: str, hours: int, count: int = partitions, config: Mapping[str, str] = MappingProxyType({})
    ) -> TopicSpec:
        retention = -1 if keep_forever else hours * HOUR_MS
        return TopicSpec(name, count, {"retention.ms": str(retention), **config})

    def compacted(name: str) -> TopicSpec:
        return TopicSpec(name, 1, {"cleanup.policy": "compact"})

    def forgetting(name: str) -> TopicSpec:
        # A segment is compacted once it is closed, which happens when a record comes after segment.ms: half the bound
        # is for that, half for the cleaner. The console writes its days' keys anew often enough.
        config = {
            "cleanup.policy": "compact",
            "segment.ms": str(COMPACTED_WITHIN_MS // 2),
            "max.compaction.lag.ms": str(COMPACTED_WITHIN_MS // 2),
            "min.cleanable.dirty.ratio": "0.01",
            "delete.retention.ms": "0",
        }
        return TopicSpec(name, 1, config)

    # The bound is the whole topic's; Kafka counts retention.bytes a partition.
    frame_config = {
        "retention.bytes": "-1" if keep_forever else str(int(frames_gib * 1024**3) // partitions),
        "segment.ms": "300000",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
    }
    return (
        kept(frames(site), 1, config=frame_config),
        kept(frames_late(site), 1, config=frame_config),
        kept(DETECTIONS, 6),
        kept(TRACKS, 24),
        kept(EVENTS, 7 * 24),
        kept(ALERTS, 30 * 24),
        kept(FEEDBACK, 365 * 24, 1),
        kept(EVIDENCE, 30 * 24, 1),
        kept(ANALYTICS, 30 * 24),
        kept(MODEL_REPORTS, 24, 1),
        kept(EDGE_STATUS, 1, config={"message.timestamp.type": "LogAppendTime"}),
        kept(CAMERA_PROBES, 1, 1, {"segment.ms": "300000"}),  # pictures too: a segment goes when all of it is old
        kept(DEAD_LETTERS, 7 * 24, 1),
        compacted(CONTROLS),
        compacted(EDGE_CONTROLS),
        compacted(DRIFT),
        forgetting(GALLERY),
        forgetting(FACE_KEYS),
        forgetting(UNKNOWNS),
        kept(SIGHTINGS, 7 * 24),
        kept(PEOPLE_COMMANDS, 7 * 24, 1),
    )
