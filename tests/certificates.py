"""An authority of a test's own, and certificates that it signs, as PEM files."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


class Files(NamedTuple):
    """A certificate and its key (PKCS 8), and both in one file, as Java's servers want it."""

    certificate: str
    key: str
    both: str


class Authority:
    """Signs certificates for 127.0.0.1, for as long as a test runs."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("test authority")
        made = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.ca = self._write("ca.crt", made.sign(self._key, hashes.SHA256()))

    @property
    def certificate(self) -> bytes:
        """Its own certificate (PEM)."""
        return Path(self.ca).read_bytes()

    @property
    def key(self) -> bytes:
        """Its private key (PEM)."""
        return _pem(self._key)

    def issue(self, common_name: str) -> Files:
        """A certificate whose name is `CN=common_name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        places = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = self._builder(_name(common_name), key).add_extension(places, critical=False)
        certificate = self._write(f"{common_name}.crt", made.sign(self._key, hashes.SHA256()))
        secret = _pem(key)
        key_file, both = self._folder / f"{common_name}.key", self._folder / f"{common_name}.pem"
        key_file.write_bytes(secret)
        both.write_bytes(secret + Path(certificate).read_bytes())
        return Files(certificate, str(key_file), str(both))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + DAY)

    def _write(self, name: str, certificate: x509.Certificate) -> str:
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
