"""Certificates of agents (X.509): the key that an agent keeps, its request, and the authority that signs it.

An authority takes nothing from a request but its public key: name, times and purpose are the signer's word.
"""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vault.errors import VaultError

_CURVE = ec.SECP256R1
_SIGNED = ec.ECDSA(hashes.SHA256())
_SLACK = dt.timedelta(minutes=5)
"""A certificate is good from a little before now (a tenth of its life at most): the broker's clock may be behind."""


class AgentKey:
    """An agent's private key (P-256). Its repr says nothing."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "AgentKey(...)"

    @classmethod
    def new(cls) -> AgentKey:
        """A fresh one."""
        return cls(ec.generate_private_key(_CURVE()))

    @classmethod
    def parse(cls, pem: bytes) -> AgentKey:
        """As `pem` wrote it, whatever follows it in the file; raises VaultError."""
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError) as error:
            raise VaultError("no private key (PEM)") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise VaultError("not a key on an elliptic curve")
        return cls(key)

    @property
    def pem(self) -> bytes:
        """PKCS 8, plain: whoever writes it down keeps others from reading it."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def request(self) -> str:
        """A certificate request (PEM) without a name: the authority gives one."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()

    def sign(self, data: bytes) -> bytes:
        """The signature (ECDSA with SHA-256) under `data`."""
        return self._key.sign(data, _SIGNED)


class Request:
    """A certificate request whose sender has shown that the key is theirs."""

    def __init__(self, pem: str) -> None:
        """Raises VaultError for what is no request, has another kind of key than P-256, or is not signed by it."""
        try:
            request = x509.load_pem_x509_csr(pem.encode())
            key, signed = request.public_key(), request.is_signature_valid
        except Exception as error:  # whatever it is that the library says of bytes from outside
            raise VaultError("no certificate request (PEM)") from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVE):
            raise VaultError("the request's key is not on the curve P-256")
        if not signed:
            raise VaultError("the request is not signed by its own key")
        self.key = key

    @property
    def public(self) -> bytes:
        """The public key (DER)."""
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Certificate:
    """What an authority of ours has issued: `name` is its common name, times are ms since the epoch."""

    def __init__(self, pem: str) -> None:
        """Raises VaultError for what is none."""
        try:
            found = x509.load_pem_x509_certificate(pem.encode())
        except ValueError as error:
            raise VaultError("no certificate (PEM)") from error
        key = found.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise VaultError("the certificate's key is not on an elliptic curve")
        self.pem = found.public_bytes(Encoding.PEM).decode()
        self.name = found.subject.rfc4514_string().removeprefix("CN=")
        self.serial = f"{found.serial_number:x}"
        self.begins_at_ms = _ms(found.not_valid_before_utc)
        self.expires_at_ms = _ms(found.not_valid_after_utc)
        self.public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._key = key

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is that of the certificate's key under exactly `data`."""
        try:
            self._key.verify(signature, data, _SIGNED)
        except InvalidSignature:
            return False
        return True


class Authority:
    """The clients' authority: whom it signs, the broker lets in under the name that the certificate says."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        """Both PEM; raises VaultError where they are none or don't belong together."""
        try:
            self._certificate = x509.load_pem_x509_certificate(certificate)
            secret = load_pem_private_key(key, None)
        except (ValueError, TypeError) as error:
            raise VaultError("the authority's certificate or key is no PEM") from error
        if not isinstance(secret, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise VaultError("the authority's key is neither RSA nor on an elliptic curve")
        if secret.public_key() != self._certificate.public_key():
            raise VaultError("the authority's certificate and key don't belong together")
        self._key = secret

    def issue(self, request: Request, name: str, now_ms: int, valid_ms: int) -> Certificate:
        """A certificate for clients, `CN=name` and nothing else; it ends no later than the authority does.

        Raises VaultError for a name that is none (64 characters at most).
        """
        now = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
        ends = min(now + dt.timedelta(milliseconds=valid_ms), self._certificate.not_valid_after_utc)
        if ends <= now:
            raise VaultError("the authority's own certificate has ended")
        try:
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        except ValueError as error:
            raise VaultError(f"{name!r} can't be a certificate's name") from error
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(request.key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - min(_SLACK, (ends - now) / 10))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_only_signatures(), critical=True)
            .add_extension(purpose, critical=False)
        )
        return Certificate(builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM).decode())


def _only_signatures() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _ms(at: dt.datetime) -> int:
    return round(at.timestamp() * 1000)
