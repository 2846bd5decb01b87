"""Puts together what is about people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from archive.people import FaceModels, SessionOptions
from archive.people.whole_faces import WholeFaces
from archive.sightings import Search
from archive.sightings.copies import copies_of
from console.evidence import EvidenceReader
from console.hub import Hub
from console.people.days import Days
from console.people.ending import Ending
from console.people.enrolling import Enrolling
from console.people.feed import PeopleFeed, UnknownPeople
from console.people.frames import Frames
from console.people.looking import Looking
from console.people.register import Register
from console.people.renewal import Renewal
from console.people.saying import Saying
from console.people.sealing import HOW_TO, PersonKeys
from console.people.sources import Sources
from console.people.unknowns import Unknowns
from console.store.store import Store
from contracts.config import Config
from contracts.face_models import FaceManifests
from contracts.topics import COMPACTED_WITHIN_MS
from vault import MasterKey

STOPS_WITHIN_S = 1.0
"""What the outbox, the broker and the jobs need until a removed person matches no more; measured far below."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether people can be enrolled (`fault`: why not), and when what is removed is gone.

    Removed people match no more after `stops_within_s`; topics hold nothing of what was enrolled after
    `forgotten_within_s`; what cameras saw of anybody, of them too, is sealed and can't be read after `seen_days`.
    `renewing` pictures are still to be looked at by another embedder, and are compared with nobody until then.
    """

    on: bool
    fault: str
    stops_within_s: float
    forgotten_within_s: float
    seen_days: float
    renewing: int = 0


@dataclass(frozen=True)
class PeopleParts:
    """Everything about people that a request may need."""

    keys: PersonKeys
    days: Days
    ending: Ending
    register: Register
    sources: Sources
    saying: Saying
    unknown: UnknownPeople
    unknowns: Unknowns
    enrolling: Enrolling
    looking: Looking
    feed: PeopleFeed
    renewal: Renewal
    frames: Frames
    faces: WholeFaces
    seen_days: float

    def standing(self) -> Standing:
        """Whether people can be enrolled, and how long what is removed stays anywhere."""
        fault = self.days.fault if self.keys.are_there else HOW_TO
        return Standing(
            on=not fault,
            fault=fault,
            stops_within_s=STOPS_WITHIN_S,
            forgotten_within_s=COMPACTED_WITHIN_MS / 1000,
            seen_days=self.seen_days,
            renewing=self.renewal.waiting,
        )

    def step(self, now_ms: int) -> None:
        """What is to be done every second."""
        self.days.step(now_ms)
        self.ending.step(now_ms)


def build_people(
    config: Config,
    store: Store,
    hub: Hub,
    evidence: EvidenceReader,
    *,
    bootstrap: str,
    models: FaceManifests,
    sightings: Path,
    master: MasterKey | None,
    config_now: Callable[[], Config],
    clock_ms: Callable[[], int],
    wake: Callable[[], None],
) -> PeopleParts:
    """The parts; nothing is opened, started or connected yet. `config_now` is the config as it is in force."""
    site = config.site.name
    faces, keys = FaceModels(models, SessionOptions(device="cpu")), PersonKeys(master)
    days, unknown, frames = Days(store, config, master, wake), UnknownPeople(site), Frames(bootstrap)
    register = Register(store, config, keys, faces, clock_ms, wake)
    sources = Sources(store, evidence, faces, days.keys, unknown, frames, config_now)
    unknowns = Unknowns(store, unknown, register, sources, site, clock_ms, wake)
    search = Search(sightings, days.keys)
    return PeopleParts(
        keys=keys,
        days=days,
        ending=Ending(register, unknowns, config.faces.retention),
        register=register,
        sources=sources,
        saying=Saying(store, hub, register, sources, keys, faces, clock_ms, wake),
        unknown=unknown,
        unknowns=unknowns,
        enrolling=Enrolling(register, sources, unknowns, clock_ms),
        looking=Looking(store, sources, faces, search, copies_of(config, sightings), clock_ms),
        feed=PeopleFeed(bootstrap, store, register, days, unknown, site, clock_ms, wake),
        renewal=Renewal(store, register, keys, faces, config.faces.wanted_rate),
        frames=frames,
        faces=WholeFaces(models.localiser),
        seen_days=config.faces.keep_days,
    )
