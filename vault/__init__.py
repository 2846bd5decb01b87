"""Secrets at rest: sealing with keys that can be thrown away. The only place that knows cryptography."""

from vault.days import DayKeys, day_of, key_name, sealed_day
from vault.errors import VaultError
from vault.master import MasterKey, master_key, new_key
from vault.sealing import Key, opened, sealed

__all__ = [
    "DayKeys",
    "Key",
    "MasterKey",
    "VaultError",
    "day_of",
    "key_name",
    "master_key",
    "new_key",
    "opened",
    "sealed",
    "sealed_day",
]
