"""`vedette faces`: makes the master key; enrols, lists and removes people through the console's API."""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import os
import urllib.parse
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from contracts.errors import VedetteError
from contracts.naming import REMOVED
from vault import new_key
from vault.master import FILE_VARIABLE, VARIABLE
from vedette.console_api import ConsoleApi, add_console, console_of

PEOPLE = "/api/people"


class People:
    """The people of a console, asked through its API."""

    def __init__(self, console: ConsoleApi) -> None:
        self._ask = console.ask

    def enrolled(self, text: str) -> list[dict[str, Any]]:
        """Who is enrolled; raises VedetteError."""
        found: list[dict[str, Any]] = self._ask("GET", f"{PEOPLE}?{urllib.parse.urlencode({'text': text})}")["people"]
        return found

    def enrol(self, name: str, group: str, pictures: list[Path], *, face: int | None, sure: bool) -> dict[str, Any]:
        """Enrol somebody with one picture or several; raises VedetteError with the reason of a refusal."""
        first, *others = pictures
        given = {"name": name, "group": group, "source": _upload(first, face), "sure": sure}
        person: dict[str, Any] = self._ask("POST", PEOPLE, given, first)["person"]
        for one in others:
            more = {"source": _upload(one, face), "sure": sure}
            try:
                person = self._ask("POST", f"{PEOPLE}/{person['id']}/pictures", more, one)["person"]
            except VedetteError as error:
                raise VedetteError(f"{error}; {name} is enrolled with {_pictures(person)} before it") from error
        return person

    def remove(self, wanted: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Remove somebody by id or exact name; returns whom, and what the console says of when nothing is left."""
        found = [one for one in self.enrolled("") if wanted in (one["id"], one["name"])]
        if len(found) != 1:
            raise VedetteError(f"{wanted}: {len(found)} people are enrolled under that id or name")
        return found[0], self._ask("DELETE", f"{PEOPLE}/{found[0]['id']}")

    def search(self, picture: Path, face: int | None, most: int) -> list[dict[str, Any]]:
        """Where the face of a picture was seen, the most alike first; raises VedetteError."""
        sought = {"source": _upload(picture, face), "most": most}
        found: list[dict[str, Any]] = self._ask("POST", "/api/sightings/search", sought, picture)["sightings"]
        return found


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    states: tuple[Path, ...],
    evaluate: Callable[[argparse.Namespace], int],
) -> None:
    """The actions of `vedette faces`; without `--state` the first of `states` where a system runs is meant."""
    text = "Make the key that people's pictures are sealed by; enrol, list and remove people"
    faces = commands.add_parser("faces", help=text, description=text + ".")
    actions = faces.add_subparsers(required=True, metavar="ACTION")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=text, description=text + ".")
        command.set_defaults(run=run)
        return command

    def of_console(name: str, run: Callable[[argparse.Namespace, People], int], text: str) -> argparse.ArgumentParser:
        command = add(name, lambda given: run(given, People(console_of(given, states, "people"))), text)
        add_console(command)
        return command

    add(
        "key", _key, f"Print a new master key, for {VARIABLE}"
    ).epilog = (
        f"Example: export {VARIABLE}=$(vedette faces key). Keep a copy: without it nothing that was sealed can be read."
    )
    enrol = of_console("enrol", _enrol, "Enrol a person with one picture or several")
    enrol.add_argument("name", help="the person's name")
    enrol.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE", help="JPEG, PNG or WebP")
    enrol.add_argument("--group", default="", help="employee, visitor, banned ...: rules look at groups")
    enrol.add_argument("--face", type=int, metavar="N", help="which face is meant, where there are several (from 0)")
    enrol.add_argument("--sure", action="store_true", help="enrol also somebody who looks like somebody else")
    listed = of_console("list", _list, "List who is enrolled")
    listed.add_argument("text", nargs="?", default="", help="only those whose name or group holds this")
    remove = of_console("remove", _remove, "Remove a person for good")
    remove.add_argument("person", help="the id, or the exact name")
    search = of_console("search", _search, "Say where the face of a picture was seen, over all cameras")
    search.add_argument("picture", type=Path, metavar="PICTURE", help="JPEG, PNG or WebP")
    search.add_argument("--face", type=int, metavar="N", help="which face is meant, where there are several (from 0)")
    search.add_argument("-n", "--most", type=int, default=20, metavar="N", help="so many tracks at most (default: 20)")
    text = "Measure the face models on a recipe's test sets"
    measure = actions.add_parser("evaluate", help=text, description=text + ".", prefix_chars="\0")
    measure.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    measure.set_defaults(run=evaluate)


def _key(_: argparse.Namespace) -> int:
    print(base64.b64encode(new_key()).decode())
    return 0


def _list(given: argparse.Namespace, people: People) -> int:
    for one in people.enrolled(given.text):
        print(f"{one['id']}  {_pictures(one):>11}  {one['group'] or '-':<16} {one['name']}")
    return 0


def _enrol(given: argparse.Namespace, people: People) -> int:
    person = people.enrol(given.name, given.group, given.pictures, face=given.face, sure=given.sure)
    print(f"{person['id']}  {_pictures(person)}  {person['name']}")
    return 0


def _search(given: argparse.Namespace, people: People) -> int:
    found = people.search(given.picture, given.face, given.most)
    known = any(one["person_id"] for one in found)
    names = {one["id"]: one["name"] for one in people.enrolled("")} if known else {}
    for one in found:
        who = names.get(one["person_id"], REMOVED) if one["person_id"] else one["decision"]
        at = dt.datetime.fromtimestamp(one["at_ms"] / 1000, dt.UTC)
        print(f"{one['score']:.2f}  {at:%Y-%m-%d %H:%M:%S} UTC  {one['camera']:<16} {who}")
    return 0


def _remove(given: argparse.Namespace, people: People) -> int:
    person, gone = people.remove(given.person)
    print(
        f"{person['name']} is removed: matches no more within {gone['stops_within_s']:g} s, "
        f"nothing of what was enrolled is left in the topics after {gone['forgotten_within_s'] / 60:g} minutes, "
        f"and what cameras saw can't be read after {gone['seen_days']:g} days"
    )
    return 0


def own_key(file: Path, environment: MutableMapping[str, str]) -> None:
    """Give the demo a master key in a file of its own, where the environment gives none: a real site keeps it apart."""
    if environment.get(VARIABLE) or environment.get(FILE_VARIABLE):
        return
    if not file.exists():
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(base64.b64encode(new_key()).decode())
    environment[FILE_VARIABLE] = str(file.resolve())


def _pictures(person: dict[str, Any]) -> str:
    return "1 picture" if person["pictures"] == 1 else f"{person['pictures']} pictures"


def _upload(picture: Path, face: int | None) -> dict[str, Any]:
    return {"from": "upload", "picture": base64.b64encode(picture.read_bytes()).decode(), "face": face}
