"""Signs the certificates of a site's agents, and asks for that: two ends of a socket in a folder that both mount.

A line of JSON for a line of JSON. Name, purpose and times are the signer's own: whoever takes the console over gets
certificates of agents, and of no job and no administrator.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from console.signer.alive import PROBE
from contracts.access import agent_user
from contracts.config import Config
from contracts.decoding import from_json
from contracts.enrolment import Pem, Short
from contracts.errors import VedetteError
from contracts.topics import DAY_MS
from vault import Authority, Request, VaultError

log = logging.getLogger(__name__)

ANSWER_S = 5.0
MAX_LINE = 16 * 1024
STOPS_WITHIN_S = 0.05


class SignerError(VedetteError):
    """The signer is away, or refused."""


class Signing(Protocol):
    """What the console needs of a signer."""

    def issue(self, agent: str, csr: str) -> str:
        """A certificate (PEM) for this agent of the site; raises SignerError."""
        ...


class Wanted(msgspec.Struct, frozen=True):
    """What the console asks."""

    agent: Short
    csr: Pem


class Answer(msgspec.Struct, frozen=True):
    """One of both is empty."""

    certificate: str = ""
    error: str = ""


class Signer:
    """Signs for the agents that the config names. The authority's files are read each time: they are renewed."""

    def __init__(self, config: Config, certificate: Path, key: Path, clock_ms: Callable[[], int]) -> None:
        self._site, self._agents = config.site.name, config.edge.agents
        self._valid_ms = round(config.console.agents.certificate_days * DAY_MS)
        self._certificate, self._key, self._clock_ms = certificate, key, clock_ms

    def issue(self, agent: str, csr: str) -> str:
        """See Signing."""
        if agent not in self._agents:
            raise SignerError(f"edge.agents has no {agent!r}")
        try:
            authority = Authority(self._certificate.read_bytes(), self._key.read_bytes())
            made = authority.issue(Request(csr), agent_user(self._site, agent), self._clock_ms(), self._valid_ms)
        except (VaultError, OSError) as error:
            raise SignerError(f"not signed: {error}") from error
        log.info("signed %s, serial %s", made.name, made.serial)
        return made.pem


class SignerSocket:
    """The signer behind a socket's path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def issue(self, agent: str, csr: str) -> str:
        """See Signing."""
        try:
            with socket.socket(socket.AF_UNIX) as link, link.makefile("rb") as answers:
                link.settimeout(ANSWER_S)
                link.connect(str(self._path))
                link.sendall(msgspec.json.encode(Wanted(agent, csr)) + b"\n")
                answer = from_json(answers.readline(MAX_LINE), Answer)
        except (OSError, msgspec.MsgspecError) as error:
            raise SignerError(f"the signer does not answer: {error}") from error
        if not answer.certificate:
            raise SignerError(answer.error)
        return answer.certificate


@contextmanager
def serving(signer: Signing, path: Path) -> Iterator[None]:
    """Answer on a socket at `path`, which its owner and group may use; raises OSError."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = ANSWER_S

        def handle(self) -> None:
            line = self.rfile.readline(MAX_LINE)
            if line == PROBE:
                self.wfile.write(PROBE)
                return
            try:
                wanted = from_json(line, Wanted)
                answer = Answer(certificate=signer.issue(wanted.agent, wanted.csr))
            except (SignerError, msgspec.MsgspecError) as error:
                log.warning("refused: %s", error)
                answer = Answer(error=str(error))
            self.wfile.write(msgspec.json.encode(answer) + b"\n")

    path.unlink(missing_ok=True)  # of a signer that was killed
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        path.chmod(0o660)
        thread = threading.Thread(target=server.serve_forever, args=(STOPS_WITHIN_S,), name="signer", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            path.unlink(missing_ok=True)
