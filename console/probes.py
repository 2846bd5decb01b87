"""Asks an agent of the site to open an address once, and waits for the picture or for the reason why there is none."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from archive.anonymise import hidden_jpeg
from bus.errors import BusError
from bus.reader import Reader
from console.errors import BusyError
from console.rights import ForbiddenError, Who
from console.store.store import Store
from contracts import topics
from contracts.assignment import agent_of, agents_of
from contracts.codec import decode, encode
from contracts.config import Config, Input
from contracts.config_check import check_input
from contracts.controls import EdgeControl, ProbeCamera, edge_key
from contracts.edge_messages import CameraProbe
from contracts.errors import ConfigError, ContractError

WAIT_S = 13.0
"""An agent answers within 11 s whatever hangs (edge/probe.py); the rest is the way there and back."""
AT_ONCE = 4


class Probes:
    """One question at a time for each caller, a few at once. `wake` is called when the outbox has something.

    `config` is the site's as it is in force: the picture of a camera that anonymises is shown as large cells.
    """

    def __init__(
        self,
        bootstrap: str,
        store: Store,
        site: str,
        config: Callable[[], Config],
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self._bootstrap, self._store, self._site, self._config = bootstrap, store, site, config
        self._clock_ms, self._wake = clock_ms, wake
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, who: Who, source: Input, camera: str = "camera", agent: str = "") -> CameraProbe:
        """What the agent saw, or that it is silent; blocks up to WAIT_S. `camera` is what it will be called.

        `agent` is who is asked; without one, who reads the camera now, or the site's only agent.

        Raises ForbiddenError, ConfigError or BusyError.
        """
        who.need("configure")
        if who.cameras is not None:
            raise ForbiddenError(f"{who.name} may not open other cameras than their own")
        check_input(source, f"cameras.{camera}.inputs[0]")
        agent = agent or self._agent(camera)
        with self._place():
            try:
                # Before the question is sent, or the answer could be missed.
                with Reader(self._bootstrap, topics.CAMERA_PROBES, "end") as reader:
                    found = self._answer(reader, self._send(who, source, agent), agent)
                return replace(found, jpeg=hidden_jpeg(found.jpeg, None)) if self._anonymised(source) else found
            except BusError as error:
                return self._silent("", agent, f"the agent can't be asked, the broker is away: {error}")

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{AT_ONCE} other addresses are being tried; again in a moment")
        try:
            yield
        finally:
            self._places.release()

    def _agent(self, camera: str) -> str:
        config = self._config()
        known = agents_of(config)
        own = agent_of(config, camera) if camera in config.cameras else None
        if own is None and len(known) > 1:
            raise ConfigError(f"cameras.{camera}.agent", f"is missing: one of {', '.join(known)} is to open it")
        return own or next(iter(known), "")

    def _send(self, who: Who, source: Input, agent: str) -> str:
        now_ms = self._clock_ms()
        asked = ProbeCamera(id=str(uuid.uuid4()), source=source, until_ms=now_ms + round(WAIT_S * 1000), agent=agent)
        record = encode(EdgeControl(site=self._site, change=asked))
        with self._store.database.write() as connection:
            self._store.answers.send(connection, topics.EDGE_CONTROLS, edge_key(self._site, asked), record)
            self._store.audit.add(
                connection,
                at_ms=now_ms,
                who=who.name,
                action="try camera",
                subject=asked.id,
                details={"url": source.url, "agent": agent},
            )
        self._wake()
        return asked.id

    def _answer(self, reader: Reader, wanted: str, agent: str) -> CameraProbe:
        until_s = time.monotonic() + WAIT_S
        while time.monotonic() < until_s:
            for record in reader.read(0.5):
                try:
                    found = decode(record.value or b"", CameraProbe)
                except ContractError:
                    continue  # not from an agent of ours; whoever waits for a good one goes on waiting
                if found.id == wanted and found.site == self._site:
                    return found
        asked = f"the agent {agent}" if agent else "the site's agent"
        return self._silent(wanted, agent, f"{asked} did not answer within {WAIT_S:g} s: is it running?")

    def _anonymised(self, source: Input) -> bool:
        cameras = self._config().cameras.values()
        return any(one.url == source.url for camera in cameras if camera.faces.anonymise for one in camera.inputs)

    def _silent(self, asked: str, agent: str, error: str) -> CameraProbe:
        return CameraProbe(
            site=self._site,
            id=asked or "-",
            agent=agent,
            at_ms=self._clock_ms(),
            took_s=WAIT_S if asked else 0,
            error=error,
        )
