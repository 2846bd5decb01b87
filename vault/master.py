"""The master key: from the environment or a mounted file, it wraps all other keys and seals nothing else."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from vault.errors import VaultError
from vault.sealing import KEY_BYTES, Key, opened, sealed

VARIABLE = "VEDETTE_MASTER_KEY"
FILE_VARIABLE = "VEDETTE_MASTER_KEY_FILE"
WAY_TO_ONE = "make one with `vedette faces key`"


class MasterKey:
    """Wraps keys. Its repr says nothing."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "MasterKey(...)"

    def wrap(self, key: Key, name: str) -> bytes:
        """The key `name` as it may be written down."""
        return sealed(self._key, key, f"key {name}".encode())

    def unwrap(self, wrapped: bytes, name: str) -> Key:
        """The key `name`; raises VaultError where it was wrapped by another master or under another name."""
        return Key(opened(self._key, wrapped, f"key {name}".encode()))


def new_key() -> Key:
    """A fresh random key."""
    return Key(os.urandom(KEY_BYTES))


def master_key(environment: Mapping[str, str]) -> MasterKey | None:
    """The master key that the environment gives, itself or as a file's path; None where it gives none.

    Raises VaultError for one that is no key: 32 bytes in base64.
    """
    if path := environment.get(FILE_VARIABLE):
        try:
            return _decoded(Path(path).read_text(encoding="ascii"), path)
        except (OSError, UnicodeDecodeError) as error:
            raise VaultError(f"{FILE_VARIABLE}: {path} can't be read: {error}") from error
    if text := environment.get(VARIABLE):
        return _decoded(text, VARIABLE)
    return None


def _decoded(text: str, where: str) -> MasterKey:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise VaultError(f"{where}: is not base64; {WAY_TO_ONE}") from error
    if len(key) != KEY_BYTES:
        raise VaultError(f"{where}: has {len(key)} bytes instead of {KEY_BYTES}; {WAY_TO_ONE}")
    return MasterKey(Key(key))
