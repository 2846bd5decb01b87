"""A Dockerfile as stages and steps: only what our own files use; anything else is an error."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from string import Template

from dockerfile_parse import DockerfileParser

FLAG = re.compile(r"--([a-z-]+)=(\S+)\s+")


@dataclass(frozen=True)
class Step:
    """One instruction: its flags in order, and the rest as it is written."""

    name: str
    flags: tuple[tuple[str, str], ...]
    text: str

    def flag(self, name: str) -> str | None:
        """The flag's first value."""
        return next((value for key, value in self.flags if key == name), None)

    def words(self, shell: tuple[str, ...] = ("/bin/sh", "-c")) -> tuple[str, ...]:
        """What is executed: the JSON list, or the text by a shell."""
        return tuple(json.loads(self.text)) if self.text.startswith("[") else (*shell, self.text)

    def pairs(self, known: Mapping[str, str]) -> dict[str, str]:
        """KEY=VALUE ... with `known` filled in."""
        return dict(word.split("=", 1) for word in shlex.split(filled(self.text, known)))


@dataclass(frozen=True)
class Stage:
    """FROM base AS name, and what follows until the next."""

    base: str
    name: str
    steps: tuple[Step, ...]

    def last(self, name: str) -> Step | None:
        """The instruction that counts where a later one replaces an earlier one."""
        return next((step for step in reversed(self.steps) if step.name == name), None)


def filled(text: str, known: Mapping[str, str]) -> str:
    """The text with its $NAMEs and ${NAME}s that are known."""
    return Template(text).safe_substitute(known)


def read(path: Path, given: Mapping[str, str]) -> tuple[Stage, ...]:
    """The file's stages; `given` are build arguments, which stand before the defaults of the file's ARGs."""
    parser = DockerfileParser(fileobj=BytesIO(path.read_bytes()))
    known: dict[str, str] = {}
    stages: list[Stage] = []
    for found in parser.structure:
        if found["instruction"] == "COMMENT":
            continue
        step = _step(found["instruction"], found["value"])
        if step.name == "FROM":
            base, _, name = step.text.partition(" AS ")
            stages.append(Stage(filled(base, known), name, ()))
        elif stages:
            stages[-1] = Stage(stages[-1].base, stages[-1].name, (*stages[-1].steps, step))
        elif step.name == "ARG":
            name, _, default = step.text.partition("=")
            known[name] = given.get(name, default)
    return tuple(stages)


def _step(name: str, value: str) -> Step:
    flags = []
    while found := FLAG.match(value):
        flags.append((found[1], found[2]))
        value = value[found.end() :]
    return Step(name, tuple(flags), value)
