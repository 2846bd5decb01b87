"""Signatures of manifests: made when a version is registered, checked wherever a model is taken from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from msgspec.structs import replace

from contracts.config import Models
from contracts.errors import ModelError
from contracts.manifest import ModelManifest, Signature, signed_bytes
from vault import PublicKey, Signer

KEY_FILE = "models.key"
"""Beside the evidence's key in the state folder of who registers models."""


def trusted_keys(models: Models) -> tuple[PublicKey, ...] | None:
    """Whose signatures count, None where none is asked for; raises VaultError."""
    if not (models.signed_only or models.trusted_keys):
        return None
    return tuple(PublicKey.parse(text) for text in models.trusted_keys)


def signed(manifest: ModelManifest, signer: Signer) -> ModelManifest:
    """The manifest with this signer's signature instead of any that it had."""
    value = base64.b64encode(signer.sign(signed_bytes(manifest))).decode()
    return replace(manifest, signature=Signature(key=str(signer.public), value=value))


def check_signature(manifest: ModelManifest, trusted: Sequence[PublicKey] | None) -> None:
    """Raise ModelError unless one of these keys vouches for all that the manifest says; None: all are good."""
    if trusted is None:
        return
    signature = manifest.signature
    if signature is None:
        raise ModelError(
            f"{manifest.id}: its manifest is not signed, and only what is signed with models.trusted_keys is taken"
        )
    key = next((key for key in trusted if str(key) == signature.key), None)
    if key is None:
        raise ModelError(f"{manifest.id}: signed with {signature.key[:60]}, which is none of models.trusted_keys")
    if not key.signed(signed_bytes(manifest), _decoded(signature.value)):
        raise ModelError(f"{manifest.id}: the manifest was changed after it was signed with {key.fingerprint}")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
