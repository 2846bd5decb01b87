"""Bytes under a key: AES-256-GCM, a fresh random nonce each time, bound to what they are about."""

from __future__ import annotations

import os
from typing import NewType

from vault.errors import VaultError

Key = NewType("Key", bytes)
"""32 random bytes."""

KEY_BYTES = 32
NONCE_BYTES = 12
"""A random nonce of 96 bits may be used 2**32 times a key (NIST SP 800-38D, 8.3): 10 looks a second for 13 years."""


def sealed(key: Key, plain: bytes, about: bytes) -> bytes:
    """Nonce, ciphertext and tag of `plain`; `about` must be the same to open it again (28 bytes longer)."""
    # Imported here: it takes 6 MiB and .3 s, and most processes seal nothing.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about)


def opened(key: Key, data: bytes, about: bytes) -> bytes:
    """What was sealed; raises VaultError where it was changed, is about something else or has another key."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], about)
    except (InvalidTag, ValueError) as error:
        raise VaultError(f"{about.decode(errors='replace')}: can't be opened with this key") from error
