"""Agents' certificates: what an authority takes of a request, and what it refuses."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.certificates import Authority as Made
from vault import AgentKey, Authority, Certificate, Request, VaultError

DAY_MS = 86_400_000


@pytest.fixture
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Made(tmp_path_factory.mktemp("ca"))
    return Authority(made.certificate, made.key)


def now_ms() -> int:
    return round(dt.datetime.now(dt.UTC).timestamp() * 1000)


def test_a_certificate_is_the_signers_word_and_the_requests_key(authority: Authority) -> None:
    key, now = AgentKey.new(), now_ms()
    made = authority.issue(Request(key.request()), "agent-harbour.north", now, DAY_MS // 2)
    found = x509.load_pem_x509_certificate(made.pem.encode())
    assert made.name == "agent-harbour.north"
    assert found.subject.rfc4514_string() == "CN=agent-harbour.north"
    assert made.signed(b"words", key.sign(b"words"))
    assert not made.signed(b"other words", key.sign(b"words"))
    assert abs(made.expires_at_ms - (now + DAY_MS // 2)) < 1000
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_what_a_request_says_of_name_and_rights_is_not_taken(authority: Authority) -> None:
    """An agent that asks to be an administrator, and an authority besides."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("kafka")]), critical=False)
    asked = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    made = authority.issue(Request(asked.public_bytes(Encoding.PEM).decode()), "agent-harbour.north", now_ms(), DAY_MS)
    found = x509.load_pem_x509_certificate(made.pem.encode())
    assert found.subject.rfc4514_string() == "CN=agent-harbour.north"
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        found.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def _request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def _of_another_key() -> str:
    """A request whose signature is not its key's: somebody asks for a certificate of a key that they don't have."""
    mine, other = (x509.load_pem_x509_csr(AgentKey.new().request().encode()) for _ in range(2))
    der = mine.public_bytes(Encoding.DER)
    point = mine.public_key().public_numbers(), other.public_key().public_numbers()  # type: ignore[union-attr]
    forged = der.replace(point[0].x.to_bytes(32, "big"), point[1].x.to_bytes(32, "big"))  # type: ignore[union-attr]
    forged = forged.replace(point[0].y.to_bytes(32, "big"), point[1].y.to_bytes(32, "big"))  # type: ignore[union-attr]
    return x509.load_der_x509_csr(forged).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("csr", "why"),
    [
        ("", "no certificate request"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "no certificate request"),
        ("pem ü", "no certificate request"),
        (_request(rsa.generate_private_key(65537, 2048)), "P-256"),
        (_request(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (_request(ed25519.Ed25519PrivateKey.generate()), "P-256"),
        (_of_another_key(), "not signed by its own key"),
    ],
)
def test_a_request_that_shows_no_key_is_refused(csr: str, why: str) -> None:
    with pytest.raises(VaultError, match=why):
        Request(csr)


def test_nothing_lasts_longer_than_the_authority(authority: Authority) -> None:
    request = Request(AgentKey.new().request())
    made = authority.issue(request, "agent", now_ms(), 365 * DAY_MS)
    assert made.expires_at_ms <= now_ms() + DAY_MS
    with pytest.raises(VaultError, match="has ended"):
        authority.issue(request, "agent", now_ms() + 2 * DAY_MS, DAY_MS)


def test_a_name_that_no_certificate_holds_is_refused(authority: Authority) -> None:
    with pytest.raises(VaultError, match="name"):
        authority.issue(Request(AgentKey.new().request()), "a" * 65, now_ms(), DAY_MS)


def test_an_authority_is_certificate_and_key_of_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    one, other = (Made(tmp_path_factory.mktemp("ca")) for _ in range(2))
    with pytest.raises(VaultError, match="belong together"):
        Authority(one.certificate, other.key)
    with pytest.raises(VaultError, match="no PEM"):
        Authority(b"x", one.key)


def test_a_key_comes_back_from_its_file_with_the_certificate_behind_it(authority: Authority) -> None:
    key = AgentKey.new()
    made = authority.issue(Request(key.request()), "agent", now_ms(), DAY_MS)
    both = key.pem + made.pem.encode()
    assert Certificate(both.decode()).signed(b"x", AgentKey.parse(both).sign(b"x"))
    assert "PRIVATE" not in repr(key)
    for wrong in (b"", made.pem.encode()):
        with pytest.raises(VaultError):
            AgentKey.parse(wrong)
