"""Who may read and write which topics: the least that each part needs, from which brokers' access lists are made.

ACLs know topics, not keys: an agent can't write another site's frames, but its word on `edge-status` and
`dead-letters` stands beside those of others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts import topics

NO_GROUP = "none"
"""The name that readers without a group give: librdkafka asks for its coordinator all the same, and never writes to it.
Everybody may describe it."""


@dataclass(frozen=True)
class Access:
    """The rights of one part. `groups` are beginnings of consumer groups' names; who has none keeps no place there."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def topics(self) -> frozenset[str]:
        """All that the part needs to be there."""
        return frozenset((*self.reads, *self.writes))


def agent_user(site: str, agent: str = "") -> str:
    """The Kafka user of the site's own agent, or of one that enrols: what stands as CN in its certificate."""
    return f"agent-{site}.{agent}" if agent else f"agent-{site}"


def of_agents(site: str, agents: Iterable[str]) -> dict[str, Access]:
    """Each agent that enrols by the name of its Kafka user: taken away, it is out, and the others go on."""
    access = of_parts(site)[agent_user(site)]
    return {agent_user(site, agent): access for agent in agents}


def of_parts(site: str) -> dict[str, Access]:
    """Each part of a site by the name of its Kafka user."""
    frames = (topics.frames(site), topics.frames_late(site))
    return {
        agent_user(site): Access(
            reads=(topics.EDGE_CONTROLS,),
            writes=(*frames, topics.EDGE_STATUS, topics.CAMERA_PROBES, topics.DEAD_LETTERS),
        ),
        "detect": Access(
            reads=(*frames, topics.CONTROLS, topics.FACE_KEYS),
            writes=(topics.DETECTIONS, topics.MODEL_REPORTS, topics.DEAD_LETTERS),
            groups=("vedette-detect",),
        ),
        "decide": Access(
            reads=(topics.DETECTIONS, topics.EDGE_STATUS, topics.CONTROLS, topics.GALLERY, topics.FACE_KEYS),
            writes=(
                *(topics.TRACKS, topics.EVENTS, topics.ALERTS, topics.SIGHTINGS, topics.DRIFT),
                *(topics.EDGE_CONTROLS, topics.DEAD_LETTERS),
            ),
            groups=("vedette-decide",),
        ),
        "analytics": Access(
            reads=(topics.TRACKS, topics.CONTROLS, topics.MODEL_REPORTS, topics.ALERTS, topics.FEEDBACK),
            writes=(topics.ANALYTICS, topics.EVENTS, topics.ALERTS, topics.CONTROLS, topics.DEAD_LETTERS),
            groups=("vedette-analytics", "vedette-rollout"),
        ),
        "site": Access(
            reads=(topics.SIGHTINGS, topics.PEOPLE_COMMANDS, topics.CONTROLS, topics.FACE_KEYS, topics.GALLERY),
            writes=(topics.UNKNOWNS, topics.ALERTS, topics.EVENTS, topics.DEAD_LETTERS),
            groups=("vedette-site",),
        ),
        "evidence": Access(
            reads=(
                *(*frames, topics.ALERTS, topics.FEEDBACK, topics.TRACKS, topics.DETECTIONS),
                *(topics.SIGHTINGS, topics.FACE_KEYS, topics.GALLERY, topics.CONTROLS),
            ),
            writes=(topics.EVIDENCE, topics.DEAD_LETTERS),
            groups=("vedette-evidence", "vedette-sightings", "vedette-samples"),
        ),
        # The rest of what it learns from is in the bucket and in the console's database.
        "training": Access(reads=(topics.DRIFT,)),
        "history": Access(
            reads=(topics.TRACKS, topics.EVENTS, topics.ALERTS, topics.ANALYTICS),
            writes=(topics.DEAD_LETTERS,),
        ),
        "console": Access(
            reads=(
                *(*frames, topics.ALERTS, topics.TRACKS, topics.EDGE_STATUS, topics.CAMERA_PROBES),
                *(
                    topics.EVIDENCE,
                    topics.MODEL_REPORTS,
                    topics.CONTROLS,
                    topics.SIGHTINGS,
                    topics.UNKNOWNS,
                    topics.GALLERY,
                    topics.FACE_KEYS,
                ),
            ),
            writes=(
                *(topics.FEEDBACK, topics.CONTROLS, topics.EDGE_CONTROLS, topics.DEAD_LETTERS),
                *(topics.GALLERY, topics.FACE_KEYS, topics.PEOPLE_COMMANDS),
            ),
            groups=("vedette-console",),
        ),
    }
