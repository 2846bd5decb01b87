"""Secrets at rest (sealing with keys that can be thrown away), the site's signature, agents' certificates.

The only place that knows cryptography.
"""

from vault.certificates import AgentKey, Authority, Certificate, Request
from vault.days import DayKeys, day_of, key_name, sealed_day
from vault.errors import VaultError
from vault.master import MasterKey, master_key, new_key
from vault.private import write_private
from vault.sealing import Key, opened, sealed
from vault.signing import MODELS_VARIABLE, PublicKey, Signer, SigningKey, SiteKey, signing_key

__all__ = [
    "MODELS_VARIABLE",
    "AgentKey",
    "Authority",
    "Certificate",
    "DayKeys",
    "Key",
    "MasterKey",
    "PublicKey",
    "Request",
    "Signer",
    "SigningKey",
    "SiteKey",
    "VaultError",
    "day_of",
    "key_name",
    "master_key",
    "new_key",
    "opened",
    "sealed",
    "sealed_day",
    "signing_key",
    "write_private",
]
