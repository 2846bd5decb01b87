"""Secrets of the config: filled in where {NAME} stands, and taken out of every text that is shown or logged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from contracts.errors import ConfigError

_NAMED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
LEAST = 4
"""A shorter secret is no secret, and to take it out would take words apart."""


def named(text: str) -> list[str]:
    """The names of the secrets that stand in a text."""
    return _NAMED.findall(text)


class Secrets:
    """What the program was given, by name. Knows no file and no environment."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._used: set[str] = set()

    def fill(self, text: str, path: str, *, in_url: bool = False) -> str:
        """`text` with every {NAME} replaced, percent-encoded where it is an address.

        Raises ConfigError, with `path`, where one is not set.
        """

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name not in self._values:
                raise ConfigError(path, f"the environment variable {name} is not set")
            self._used.add(self._values[name])
            return quote(self._values[name], safe="") if in_url else self._values[name]

        return _NAMED.sub(value, text)

    def redact(self, text: str) -> str:
        """`text` with every secret that was filled in as `***`, however it is written there."""
        forms = {form for one in self._used for form in (one, quote(one, safe=""), quote_plus(one), quote(one))}
        known = sorted((form for form in forms if len(form) >= LEAST), key=len, reverse=True)
        return re.sub("|".join(map(re.escape, known)), "***", text) if known else text
