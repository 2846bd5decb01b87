"""Signatures of manifests: made when a version is registered, checked wherever a model is taken from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from contracts.errors import ModelError
from contracts.manifest import ModelManifest, Signature, signed_bytes
from vault import PublicKey, Signer


def trusted_keys(texts: Iterable[str]) -> tuple[PublicKey, ...]:
    """The keys of `models.trusted_keys`; raises VaultError."""
    return tuple(PublicKey.parse(text) for text in texts)


def signed(manifest: ModelManifest, signer: Signer) -> ModelManifest:
    """The manifest with this signer's signature instead of any that it had."""
    value = base64.b64encode(signer.sign(signed_bytes(manifest))).decode()
    return replace(manifest, signature=Signature(key=str(signer.public), value=value))


def check_signature(manifest: ModelManifest, trusted: Sequence[PublicKey]) -> None:
    """Raise ModelError unless one of these keys vouches for all that the manifest says; without keys all are good."""
    if not trusted:
        return
    signature = manifest.signature
    if signature is None:
        raise ModelError(f"{manifest.id}: its manifest is not signed, and models.trusted_keys asks for that")
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
