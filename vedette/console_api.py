"""The console's API, as commands ask it: where it is, whose token is shown, and what it says when it refuses."""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from contracts.errors import VedetteError

TOKEN = "VEDETTE_TOKEN"  # noqa: S105  the name of the variable
ADDRESS_FILE, LOCAL_TOKEN_FILE = "address", "local-token"
"""As the console writes them into its state folder."""
TIMEOUT_S = 60.0


class ConsoleApi:
    """One console."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address.rstrip("/")
        self._token = token

    def ask(self, method: str, path: str, body: object = None, about: Path | None = None) -> Any:
        """The answer's JSON; raises VedetteError with the reason of a refusal, and the file that it is about."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self._address}{path}", data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            where = f"{about}: " if about else ""
            raise VedetteError(where + _reason(error)) from error
        except OSError as error:
            raise VedetteError(f"{self._address} does not answer: {error}") from error


def console_of(given: argparse.Namespace, states: tuple[Path, ...], scope: str) -> ConsoleApi:
    """The console of `--url` or of a state folder; the token is VEDETTE_TOKEN's, else the local system's own."""
    token = os.environ.get(TOKEN, "")
    if given.url:
        if not token:
            raise VedetteError(f"set {TOKEN} to an API token of {given.url} that is good for {scope}")
        return ConsoleApi(given.url, token)
    for folder in (given.state,) if given.state else states:
        console = folder / "console"
        try:
            return ConsoleApi((console / ADDRESS_FILE).read_text(), token or (console / LOCAL_TOKEN_FILE).read_text())
        except OSError:
            continue
    raise VedetteError(f"no console is running here; say where with --state DIR, or with --url ADDRESS and {TOKEN}")


def add_console(command: argparse.ArgumentParser) -> None:
    """The options that `console_of` reads."""
    command.add_argument("--url", default="", metavar="ADDRESS", help=f"of another console; {TOKEN} is its token")
    command.add_argument("--state", type=Path, metavar="DIR", help="of the system that runs here")


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError):
        return f"the console answered {error.code}"
