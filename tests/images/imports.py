"""What a program imports as it starts, read from the source; and the distributions that an extra brings."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def imported(root: Path, programs: Iterable[str]) -> set[str]:
    """The top-level names, neither ours nor Python's, that these modules and theirs import outside of functions."""
    waiting, seen, others = list(programs), set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        first, *rest = name.split(".")
        if not (root / first).is_dir():
            others |= {first} - sys.stdlib_module_names
            continue
        waiting += [".".join([first, *rest[:count]]) for count in range(len(rest))]
        file = root.joinpath(first, *rest)
        source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        if source.is_file():  # else it is a name out of a module
            waiting += _names(ast.parse(source.read_text()).body)
    return others


def brought(requirements: Iterable[str]) -> set[str]:
    """The distributions of these requirements and all that those require; of what is not installed here only itself."""
    waiting, found = [Requirement(text) for text in requirements], set[str]()
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found:
            continue
        found.add(name)
        try:
            more = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        extras = ["", *one.extras]
        waiting += [need for need in more if not need.marker or any(need.marker.evaluate({"extra": e}) for e in extras)]
    return found


def _names(statements: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        match statement:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=other):
                yield from _names(other)
            case ast.If(body=body, orelse=other) | ast.Try(body=body, orelse=other):
                yield from _names([*body, *other])
