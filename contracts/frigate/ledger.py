"""Who reads a foreign config through this knows afterwards which of its keys were used, and why the others were not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["left", "changed"]


class Note(msgspec.Struct, frozen=True):
    """A key that was not taken over (`left`), or not as it stood (`changed`), and why."""

    path: str
    why: str
    kind: Kind = "left"


class Ledger:
    """What became of each key so far."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.notes: list[Note] = []

    def take(self, path: str) -> None:
        """The key at `path`, with all below it, is in the result."""
        self.taken.add(path)

    def leave(self, path: str, why: str) -> None:
        """The key at `path`, with all below it, is not in the result."""
        self.taken.discard(path)
        self.notes.append(Note(path, why))

    def change(self, path: str, how: str) -> None:
        """The key at `path` is in the result, but otherwise."""
        self.taken.add(path)
        self.notes.append(Note(path, how, "changed"))

    def knows(self, path: str) -> bool:
        """Whether something was said of the key, or of one above it."""
        said = self.taken | {note.path for note in self.notes}
        return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in said)


class Part:
    """A mapping of the foreign config and where it stands; what is no mapping counts as empty."""

    def __init__(self, value: object, path: str, ledger: Ledger) -> None:
        self.values: Mapping[str, Any] = value if isinstance(value, dict) else {}
        self.path, self.ledger = path, ledger

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) is not None

    def at(self, name: str) -> str:
        """Where a key of this part stands."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> Any:
        """A value that is used; None where there is none."""
        if name in self.values:
            self.ledger.take(self.at(name))
        return self.values.get(name)

    def part(self, name: str) -> Part:
        """A mapping below this one."""
        return Part(self.values.get(name), self.at(name), self.ledger)

    def parts(self) -> Iterator[tuple[str, Part]]:
        """All mappings below this one, by name."""
        for name in self.values:
            yield str(name), self.part(name)

    def leave(self, name: str, why: str) -> None:
        """Say why a key is not used, if it is there."""
        if name in self.values:
            self.ledger.leave(self.at(name), why)

    def change(self, name: str, how: str) -> None:
        """Say how a key is used otherwise."""
        self.ledger.change(self.at(name), how)


class Layers:
    """The same part of a camera and of the whole file: what the camera says comes first."""

    def __init__(self, own: Part, common: Part) -> None:
        self.own, self.common = own, common

    def having(self, name: str) -> Part:
        """The layer that says `name`; the camera's own where neither does."""
        return self.common if name not in self.own and name in self.common else self.own

    def get(self, name: str) -> Any:
        """A value that is used; None where there is none."""
        return self.having(name).get(name)

    def layers(self, name: str) -> Layers:
        """The part below."""
        return Layers(self.own.part(name), self.common.part(name))

    def names(self) -> list[str]:
        """The keys of both."""
        return list(dict.fromkeys([*self.common.values, *self.own.values]))


def leaves(value: object, path: str = "") -> Iterator[str]:
    """The path of every value; a list of plain values is one, and so is an empty mapping."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}[{i}]")
    else:
        yield path
