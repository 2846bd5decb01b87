"""The site's own signatures: Ed25519 (RFC 8032), with private keys that never leave the site, one a purpose."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from vault.errors import VaultError
from vault.private import write_private

EVIDENCE_VARIABLE = "VEDETTE_SIGNING_KEY_FILE"
MODELS_VARIABLE = "VEDETTE_MODELS_KEY_FILE"
"""Who signs evidence needs no say in which models the jobs take, and who trains none in what is evidence."""
SIGNATURE_BYTES = 64
PUBLIC_BYTES = 32
_PREFIX = "ed25519:"


class PublicKey:
    """What checks signatures. `str` is how it is written down: `ed25519:` and base64."""

    def __init__(self, raw: bytes) -> None:
        """`raw` are 32 bytes."""
        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    def __str__(self) -> str:
        return _PREFIX + base64.b64encode(self.raw).decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    @property
    def fingerprint(self) -> str:
        """Short enough to be read out over the telephone: 16 hexadecimal digits in fours."""
        digest = hashlib.sha256(self.raw).hexdigest()[:16]
        return " ".join(digest[place : place + 4] for place in range(0, 16, 4))

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's under exactly `data`."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """What `str` made of one; raises VaultError."""
        try:
            raw = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError) as error:
            raise VaultError(f"`{text.strip()[:60]}` is no public key: {_PREFIX} and base64 are wanted") from error
        if len(raw) != PUBLIC_BYTES:
            raise VaultError(f"`{text.strip()[:60]}` is no public key: it has {len(raw)} bytes instead of 32")
        return cls(raw)


class SigningKey:
    """What signs. Its repr says nothing."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return "SigningKey(...)"

    def sign(self, data: bytes) -> bytes:
        """The signature (64 bytes) under `data`."""
        return self._key.sign(data)


class Signer(Protocol):
    """What signs, and says who that is."""

    @property
    def public(self) -> PublicKey:
        """What checks its signatures."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature (64 bytes) under `data`."""
        ...


class SiteKey:
    """A key of the site as `signing_key` gives it, read or made at first use; that raises VaultError."""

    def __init__(self, environment: Mapping[str, str], file: Path, variable: str = EVIDENCE_VARIABLE) -> None:
        self._environment, self._file, self._variable = environment, file, variable

    @property
    def public(self) -> PublicKey:
        """See Signer."""
        return self._key.public

    def sign(self, data: bytes) -> bytes:
        """See Signer."""
        return self._key.sign(data)

    @functools.cached_property
    def _key(self) -> SigningKey:
        return signing_key(self._environment, self._file, self._variable)


def signing_key(environment: Mapping[str, str], file: Path, variable: str = EVIDENCE_VARIABLE) -> SigningKey:
    """A key of the site: in the file that the environment names (mounted), else in `file`, made there at first use.

    Raises VaultError for a file that holds no Ed25519 key, can't be read, or that others than its owner can read.
    """
    mounted = environment.get(variable)
    if mounted:
        return _loaded(Path(mounted))
    if not file.exists():
        _make(file)
    if file.stat().st_mode & 0o077:
        raise VaultError(
            f"{file}: others can read it; `chmod 600` it, and think about whether the key is still a secret"
        )
    return _loaded(file)


def _make(file: Path) -> None:
    """A new key, whole or not there; who comes second takes the first one's."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    write_private(temporary, pem)
    try:
        os.link(temporary, file)
    except FileExistsError:
        return
    finally:
        temporary.unlink()


def _loaded(file: Path) -> SigningKey:
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except OSError as error:
        raise VaultError(f"{file}: the signing key can't be read: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise VaultError(f"{file}: holds no private key without a password (PEM)") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise VaultError(f"{file}: holds a key that is not Ed25519")
    return SigningKey(key)
