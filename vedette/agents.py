"""`vedette agents`: makes the token that lets an agent outside the cluster enrol, lists agents, takes one out."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import urllib.parse
from pathlib import Path
from typing import Any

from vedette.console_api import ConsoleApi, add_console, console_of

AGENTS = "/api/agents"
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser], states: tuple[Path, ...]) -> None:
    """The actions; without `--state` the first of `states` where a system runs is meant."""
    text = "Let agents outside the cluster enrol, list them, take one out"
    agents = commands.add_parser("agents", help=text, description=text + ".")
    actions = agents.add_subparsers(required=True, metavar="ACTION")
    for name, run, text in (
        ("token", _token, "Print a token that lets an agent of edge.agents enrol once; one of before is void"),
        ("list", _list, "List the agents: what they read, and how long their certificates last"),
        ("revoke", _revoke, "Renew an agent's certificate no more"),
    ):
        command = actions.add_parser(name, help=text, description=text + ".")
        command.set_defaults(run=lambda given, run=run: run(given, console_of(given, states, "agents")))
        if name != "list":
            command.add_argument("agent", help="its name in edge.agents")
        if name == "token":
            command.add_argument("--valid", type=seconds, default=3600, metavar="TIME", help="30m, 1h (default), 2d")
            command.epilog = (
                "Example: vedette agents token north > token; there, python -m edge.enrol --token-file token ..."
            )
        add_console(command)


def seconds(text: str) -> int:
    """`30m`, `1h`, `2d`; raises ArgumentTypeError."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"`{text}` is not like 30m, 1h or 2d")
    return int(found[1]) * _SECONDS[found[2]]


def _token(given: argparse.Namespace, console: ConsoleApi) -> int:
    print(console.ask("POST", f"{AGENTS}/tokens", {"agent": given.agent, "valid_s": given.valid})["token"])
    return 0


def _list(given: argparse.Namespace, console: ConsoleApi) -> int:
    for one in console.ask("GET", AGENTS)["agents"]:
        reads = ", ".join(one["reads"]) or "nothing"
        version, address = one["runs"] or one["version"] or "-", one["address"] or "-"
        print(f"{one['name']:<24} {_state(one):<44} {version:<12} {address:<16} reads {reads}")
    return 0


def _revoke(given: argparse.Namespace, console: ConsoleApi) -> int:
    console.ask("DELETE", f"{AGENTS}/{urllib.parse.quote(given.agent, safe='')}")
    print(f"{given.agent} renews no more; for an end at once take it out of edge.agents, and its Kafka user away")
    return 0


def _state(one: dict[str, Any]) -> str:
    if not one["enrolled_at_ms"]:
        return "has not enrolled" if one["named"] else "beside the broker"
    ends = dt.datetime.fromtimestamp(one["expires_at_ms"] / 1000, dt.UTC)
    return f"{'taken out, ' if one['revoked_at_ms'] else ''}certificate until {ends:%Y-%m-%d %H:%M} UTC"
