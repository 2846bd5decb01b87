"""`python -m console`: serves the console until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from console.auth.gate import link_path
from console.database_url import database_url
from console.parts import Parts
from console.store.store import Store
from console.wiring import Place, application, build, running
from contracts.config import Console, bootstrap_of
from contracts.config_file import load
from contracts.errors import ConfigError
from telemetry import open_tracer
from vault import VaultError, master_key

ADDRESS_FILE, LINK_FILE, TOKEN_FILE = "address", "first-link", "local-token"
"""In the state folder; the link only while there is no administrator. `vedette up` shows both."""


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes; returns the exit code: 2 for a wrong config, 1 when it can't begin."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        config = load(given.config)
        bootstrap = bootstrap_of(config, given.bootstrap)
        database = database_url(config.console.database, given.state, os.environ)
        master = master_key(os.environ)
    except (ConfigError, VaultError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.migrate:
        return _migrate(database)
    host = given.host or config.console.host
    port = given.port if given.port is not None else config.console.port
    try:
        listening = _listen(host, port)
    except OSError as error:
        print(f"console: {host}:{port}: {error.strerror}", file=sys.stderr)
        return 1
    with listening:
        address, tracer = _address(config.console, listening), open_tracer("console")
        place = Place(
            *(bootstrap, given.state, database, address, master, os.environ), folder=given.config.parent, tracer=tracer
        )
        parts = build(config, place, _now_ms)
        try:
            parts.store.open()
        except SQLAlchemyError as error:
            print(f"console: the database: {error}", file=sys.stderr)
            return 1
        _tell(place, parts.gate.first_link(_now_ms()), parts.gate.local_token())
        _serve(parts, place, listening)
        tracer.close()
    return 0


def _migrate(database: str) -> int:
    """Bring the database to today's form and end: a step of its own before a new version serves."""
    store = Store(database)
    try:
        store.open()
    except SQLAlchemyError as error:
        print(f"console: the database: {error}", file=sys.stderr)
        return 1
    store.close()
    return 0


def _serve(parts: Parts, place: Place, listening: socket.socket) -> None:
    """Answer on the socket until a signal comes; the store is open already."""
    app, reader = application(parts, place.bootstrap)
    console = parts.config.console
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # one-time links are paths
            server_header=False,
            ws_max_size=1024 * 1024,
            timeout_graceful_shutdown=1,
            ssl_certfile=console.tls_certificate or None,
            ssl_keyfile=console.tls_key or None,
        )
    )
    # Uvicorn raises the signals that it got once more when it is done: these handlers let us end in order then.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    with running(parts, reader):
        server.run(sockets=[listening])


def _tell(place: Place, secret: str | None, token: str) -> None:
    """Say where the console is, in the log and in files that only their owner reads; link and token are in no log."""
    logging.getLogger("console").info("the console is at %s", place.address)
    place.state.mkdir(parents=True, exist_ok=True)
    for name, text in ((LINK_FILE, place.address + link_path(secret) if secret else ""), (TOKEN_FILE, token)):
        file = place.state / name
        file.unlink(missing_ok=True)
        if text:
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(text)
    (place.state / ADDRESS_FILE).write_text(place.address)  # last: whoever waits for it finds the link


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(place)
    except OSError:
        listening.close()
        raise
    listening.set_inheritable(True)
    return listening


def _address(console: Console, listening: socket.socket) -> str:
    """What browsers are told: the config's word, else host and port."""
    if console.address:
        return console.address
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    shown = socket.gethostname() if address.is_unspecified else f"[{host}]" if address.version == 6 else host
    return f"{'https' if console.tls_certificate else 'http'}://{shown}:{port}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m console", description="Serve the web console and its API.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's config")
    parser.add_argument("--bootstrap", default="", metavar="ADDRESS", help="the broker, instead of the config's kafka")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="where its database is")
    parser.add_argument("--migrate", action="store_true", help="only bring the database to today's form")
    parser.add_argument("--host", help="instead of the config's")
    parser.add_argument("--port", type=int, help="instead of the config's; 0: any that is free")
    return parser


if __name__ == "__main__":
    sys.exit(main())
