"""Renews an agent's certificate after half of its life, with the one in use, and says so to who is connected by it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from contracts import metrics
from contracts.errors import VedetteError
from contracts.metrics import Metrics
from edge.identity import Ask, Enrolment, Identity
from vault import Certificate

log = logging.getLogger(__name__)

RENEWED_AT = 0.5
"""The part of a certificate's life after which the next is asked for: the rest is for a console that is away."""
TRIES = 100
"""So often it is tried within a certificate's life, if need be."""
MIN_PAUSE_S, MAX_PAUSE_S = 0.5, 600.0


class Rotation:
    """A thread beside the agent. `renewed` is called once the next certificate is in its files."""

    def __init__(
        self,
        identity: Identity,
        enrolment: Enrolment,
        ask: Ask,
        *,
        version: str,
        now_ms: Callable[[], int],
        renewed: Callable[[], None],
        made: Metrics,
    ) -> None:
        self._identity, self._enrolment, self._ask, self._version = identity, enrolment, ask, version
        self._now_ms, self._renewed, self._metrics = now_ms, renewed, made
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rotation", daemon=True)

    def start(self) -> None:
        """Begin to watch the certificate."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    def step(self, now_ms: int) -> float:
        """Renew where it is time; returns how long (s) to wait for the next step. Raises VedetteError, OSError."""
        certificate = self._identity.certificate
        self._show(certificate)  # also of one that can't be renewed
        if now_ms >= due_at_ms(certificate.begins_at_ms, certificate.expires_at_ms):
            certificate = self._identity.renew(self._ask, self._enrolment, now_ms, self._version)
            log.info("the certificate was renewed", extra={"serial": certificate.serial})
            self._renewed()
            self._show(certificate)
        return pause_s(certificate.begins_at_ms, certificate.expires_at_ms)

    def _show(self, certificate: Certificate) -> None:
        self._metrics.gauge(metrics.CERTIFICATE_EXPIRES).set(certificate.expires_at_ms / 1000)

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            try:
                wait_s = self.step(self._now_ms())
            except (VedetteError, OSError) as error:
                log.error("the certificate was not renewed", extra={"error": str(error)})
                wait_s = wait_s or MIN_PAUSE_S
                self._metrics.counter(metrics.RENEWALS_FAILED).inc()


def due_at_ms(begins_at_ms: int, expires_at_ms: int) -> float:
    """When the next certificate is asked for."""
    return begins_at_ms + RENEWED_AT * (expires_at_ms - begins_at_ms)


def pause_s(begins_at_ms: int, expires_at_ms: int) -> float:
    """Between two looks, and two tries."""
    return min(max((expires_at_ms - begins_at_ms) / 1000 / TRIES, MIN_PAUSE_S), MAX_PAUSE_S)
