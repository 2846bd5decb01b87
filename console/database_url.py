"""Where the console's database is: the config's address with its secrets, or SQLite in the state folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import ConfigError

_SECRET = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def database_url(url: str, state: Path, secrets: Mapping[str, str]) -> str:
    """The SQLAlchemy URL; raises ConfigError where a secret is missing."""

    def secret(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in secrets:
            raise ConfigError("console.database", f"the environment variable {name} is not set")
        return secrets[name]

    return _SECRET.sub(secret, url) if url else f"sqlite:///{state.resolve() / 'console.db'}"
