"""The master key of a system on one machine: what the environment gives, else a file of the state folder."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

from vault import master_key, new_key, write_private
from vault.master import FILE_VARIABLE

NAME = "master.key"


def key_for(state_dir: Path, environ: Mapping[str, str], say: Callable[[str], None], *, needed: bool) -> dict[str, str]:
    """What processes get in addition to `environ`, so that they have the key; a file is made where one is `needed`.

    Raises VaultError for a key that is none, OSError where the file can't be written.
    """
    if master_key(environ) is not None:
        return {}
    file = state_dir / NAME
    if not file.exists():
        if not needed:
            return {}
        _write(file)
        say(f"made the master key {file}: keep a copy, without it nobody can read who is enrolled and who was seen")
    found = {FILE_VARIABLE: str(file.resolve())}
    master_key(found)
    return found


def _write(file: Path) -> None:
    """For this user alone, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    write_private(part, base64.b64encode(new_key()) + b"\n")
    part.rename(file)
