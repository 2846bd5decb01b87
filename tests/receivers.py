"""Real servers that notifications are sent to: one of HTTP that answers as it is told, and one of mail."""

from __future__ import annotations

import email
import email.policy
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Received:
    """One request: path, headers (names in lower case) and body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body's JSON."""
        return msgspec.json.decode(self.body)


@dataclass
class HttpReceiver:
    """What came, and what is answered: `statuses` one after the other, then 200; `hang_s` before each answer."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    hang_s: float = 0.0
    got: list[Received] = field(default_factory=list)


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """A server on a port that is free."""
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(receiver.hang_s)
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append(Received(self.path, headers, body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class MailReceiver:
    """The mails that came, and where to send them; `password` is the one that is right."""

    port: int = 0
    password: str = ""
    mails: list[EmailMessage] = field(default_factory=list)


@contextmanager
def mail_receiver(password: str) -> Iterator[MailReceiver]:
    """A mail server that wants a password, on a port that is free."""
    receiver = MailReceiver(password=password)

    class Handler:
        async def handle_DATA(self, _server: object, session: Session, envelope: Envelope) -> str:
            if not session.authenticated:
                return "530 authentication required"
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            receiver.mails.append(message)
            return "250 OK"

    def authenticate(_server: object, _session: object, _envelope: object, _how: str, given: object) -> AuthResult:
        well = isinstance(given, LoginPassword) and given.password == receiver.password.encode()
        return AuthResult(success=well)

    with socket.create_server(("127.0.0.1", 0)) as free:  # the controller can't tell which port 0 was
        receiver.port = free.getsockname()[1]
    controller = Controller(Handler(), "127.0.0.1", receiver.port, authenticator=authenticate, auth_require_tls=False)
    controller.start()
    yield receiver
    controller.stop()
