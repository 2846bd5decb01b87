"""Where the console's database is: the config's address with its secrets, or SQLite in the state folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from console.secrets import Secrets


def database_url(url: str, state: Path, secrets: Mapping[str, str]) -> str:
    """The SQLAlchemy URL; raises ConfigError where a secret is missing."""
    return Secrets(secrets).fill(url, "console.database") if url else f"sqlite:///{state.resolve() / 'console.db'}"
