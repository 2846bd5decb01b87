"""The site's signature: made once, kept from others, and good for exactly what was signed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from vault.errors import VaultError
from vault.signing import EVIDENCE_VARIABLE, MODELS_VARIABLE, PublicKey, SiteKey, signing_key


def test_a_key_is_made_at_first_use_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "state" / "signing.key"
    made = signing_key({}, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["signing.key"]
    assert signing_key({}, file).public == made.public
    assert signing_key({}, tmp_path / "other").public != made.public
    assert repr(made) == "SigningKey(...)"


def test_a_mounted_key_counts_first(tmp_path: Path) -> None:
    mounted = signing_key({}, tmp_path / "mounted").public
    assert signing_key({EVIDENCE_VARIABLE: str(tmp_path / "mounted")}, tmp_path / "own").public == mounted
    assert not (tmp_path / "own").exists()


def test_each_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    environment = {EVIDENCE_VARIABLE: str(tmp_path / "evidence"), MODELS_VARIABLE: str(tmp_path / "models")}
    evidence, models = (signing_key({}, Path(file)).public for file in environment.values())
    assert SiteKey(environment, tmp_path / "own").public == evidence
    assert SiteKey(environment, tmp_path / "own", MODELS_VARIABLE).public == models != evidence


def test_a_signature_is_good_for_these_bytes_only(tmp_path: Path) -> None:
    key = signing_key({}, tmp_path / "key")
    signature = key.sign(b"what was seen")
    assert key.public.signed(b"what was seen", signature)
    assert not key.public.signed(b"what was sein", signature)
    assert not key.public.signed(b"what was seen", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not key.public.signed(b"what was seen", b"")


def test_a_public_key_is_written_down_and_read_again(tmp_path: Path) -> None:
    public = signing_key({}, tmp_path / "key").public
    assert str(public).startswith("ed25519:")
    assert PublicKey.parse(str(public)) == PublicKey.parse(f" {public}\n") == public
    assert len(public.fingerprint) == 19


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "ed25519:no base64!", "ed25519:" + "A" * 44])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(VaultError, match="no public key"):
        PublicKey.parse(text)


def test_what_is_no_private_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"no key")
    file.chmod(0o600)
    with pytest.raises(VaultError, match="no private key"):
        signing_key({}, file)
    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(other)
    with pytest.raises(VaultError, match="not Ed25519"):
        signing_key({}, file)
    with pytest.raises(VaultError, match="can't be read"):
        signing_key({EVIDENCE_VARIABLE: str(tmp_path / "none")}, file)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    signing_key({}, tmp_path / "key")
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        signing_key({}, tmp_path / "key")
