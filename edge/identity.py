"""Who an agent that enrolled is: files in its state folder, which a crash at any moment leaves whole."""

from __future__ import annotations

import base64
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from ssl import create_default_context
from urllib.parse import urlsplit

import msgspec

from contracts.broker import BrokerAddress
from contracts.decoding import from_json
from contracts.enrolment import ENROL_PATH, RENEW_PATH, Enrol, Enrolled, Renew
from contracts.errors import ConfigError, VedetteError
from edge.files import sync_folder
from vault import AgentKey, Certificate, write_private

FOLDER = "identity"
ANSWER_S = 20.0
MAX_ANSWER = 256 * 1024

Ask = Callable[[str, bytes], bytes]
"""Posts JSON to a path of the console and gives its answer; raises EnrolmentError."""


class EnrolmentError(VedetteError):
    """The console is away, or did not give a certificate."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """Where the agent enrolled, as what, and the broker that it was told of. `console_ca` is a PEM file's path."""

    console: str
    console_ca: str
    site: str
    agent: str
    bootstrap_servers: tuple[str, ...]


class Identity:
    """The folder: key and certificate in one file, so that they change at once; a key that waits for a certificate."""

    def __init__(self, folder: Path) -> None:
        self._enrolment, self._waiting = folder / "enrolment.json", folder / "waiting.key"
        self._own, self._ca = folder / "agent.pem", folder / "ca.crt"

    @property
    def enrolment(self) -> Enrolment | None:
        """None before the agent has enrolled; raises EnrolmentError for a file that is none."""
        try:
            return from_json(self._enrolment.read_bytes(), Enrolment)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise EnrolmentError(f"{self._enrolment}: {error}") from error

    @property
    def certificate(self) -> Certificate:
        """The one in use; raises VaultError, OSError."""
        return Certificate(self._own.read_text())

    def address(self, enrolment: Enrolment) -> BrokerAddress:
        """The broker with the files of this folder, which keep their names when they are renewed."""
        return BrokerAddress(",".join(enrolment.bootstrap_servers), str(self._ca), str(self._own), str(self._own))

    def enrol(self, ask: Ask, token: str, console: str, console_ca: str, site: str, version: str) -> Enrolment:
        """Ask for the first certificate, with a one-time token; raises EnrolmentError, VaultError, OSError."""
        asked = Enrol(token=token, site=site, csr=self._next_key().request(), version=version)
        given = _given(ask(ENROL_PATH, msgspec.json.encode(asked)))
        enrolment = Enrolment(
            console=console,
            console_ca=console_ca,
            site=site,
            agent=given.agent,
            bootstrap_servers=given.bootstrap_servers,
        )
        self._take(given)
        _write(self._enrolment, msgspec.json.encode(enrolment))  # last: with it the agent has enrolled
        return enrolment

    def renew(self, ask: Ask, enrolment: Enrolment, now_ms: int, version: str) -> Certificate:
        """Ask for the next certificate with the one in use; raises EnrolmentError, VaultError, OSError.

        The next key is kept until its certificate is there: an answer that was lost is asked for once more.
        """
        asked = Renew(
            agent=enrolment.agent,
            site=enrolment.site,
            csr=self._next_key().request(),
            at_ms=now_ms,
            signature="-",
            version=version,
        )
        signature = AgentKey.parse(self._own.read_bytes()).sign(asked.proof())
        signed = msgspec.structs.replace(asked, signature=base64.b64encode(signature).decode())
        given = _given(ask(RENEW_PATH, msgspec.json.encode(signed)))
        self._take(given)
        told = msgspec.structs.replace(enrolment, bootstrap_servers=given.bootstrap_servers)
        _write(self._enrolment, msgspec.json.encode(told))
        return self.certificate

    def _next_key(self) -> AgentKey:
        """The one that waits, unless a crash left it behind once it was in use."""
        if self._waiting.exists():
            waiting = AgentKey.parse(self._waiting.read_bytes())
            if not self._own.exists() or AgentKey.parse(self._own.read_bytes()).pem != waiting.pem:
                return waiting
        self._waiting.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = AgentKey.new()
        _write(self._waiting, key.pem)
        return key

    def _take(self, given: Enrolled) -> None:
        """Key and certificate take the place of those of before; the console may have given it to another's key."""
        key = AgentKey.parse(self._waiting.read_bytes())
        if not Certificate(given.certificate).signed(b"ours", key.sign(b"ours")):
            raise EnrolmentError("the console's certificate is not of this agent's key")
        _write(self._ca, given.ca.encode())
        _write(self._own, key.pem + given.certificate.encode())
        self._waiting.unlink()


def console_at(address: str, ca: str) -> Ask:
    """The console at an https:// address, whose certificate `ca` (PEM file; "": the machine's) vouches for.

    Raises ConfigError for a plain address of another machine, where anybody could read the token, and for no PEM.
    """
    parts = urlsplit(address)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigError("--console", f"`{address[:60]}` is not https://HOST[:PORT]")
    try:
        context = create_default_context(cafile=ca or None) if parts.scheme == "https" else None
    except OSError as error:
        raise ConfigError("--console-ca", f"{ca}: {error}") from error

    def ask(path: str, body: bytes) -> bytes:
        request = urllib.request.Request(f"{address.rstrip('/')}{path}", body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S, context=context) as answer:  # noqa: S310
                return bytes(answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as error:
            raise EnrolmentError(f"{address}: {error.code}, {error.read(500).decode(errors='replace')}") from error
        except (OSError, HTTPException) as error:  # what is no HTTP, or ends before its end, is no OSError
            raise EnrolmentError(f"{address} does not answer: {error}") from error

    return ask


def _given(answer: bytes) -> Enrolled:
    try:
        return from_json(answer, Enrolled)
    except msgspec.MsgspecError as error:
        raise EnrolmentError(f"the console's answer is none: {error}") from error


def _write(file: Path, content: bytes) -> None:
    """Whole or not at all, for its owner only."""
    temporary = file.with_name(f".{file.name}.tmp")
    write_private(temporary, content)
    temporary.replace(file)
    # A key that a power cut takes back once the console knows it could never be renewed again.
    sync_folder(file.parent)
