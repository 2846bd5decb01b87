"""How an agent outside the cluster comes by its certificate: what it asks of the console, and what it is given.

JSON over HTTPS. The agent's key never leaves it: what it sends is a certificate request (PKCS 10) of that key.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.config import Name

ENROL_PATH, RENEW_PATH = "/api/agents/enrol", "/api/agents/renew"

Short = Annotated[str, Meta(min_length=1, max_length=200)]
Pem = Annotated[str, Meta(min_length=1, max_length=8000)]
Version = Annotated[str, Meta(max_length=64, pattern=r"^[ -~]*$(?!\n)")]
"""Shown in terminals too: nothing that they would obey."""


class Enrol(msgspec.Struct, frozen=True, kw_only=True):
    """Asked once, with a one-time token. `site` is what the agent's config says, to find mistakes."""

    token: Short
    site: Short
    csr: Pem
    version: Version = ""


class Renew(msgspec.Struct, frozen=True, kw_only=True):
    """Asked with the certificate that is in use: `signature` (base64) is its key's under `proof`, made at `at_ms`."""

    agent: Name
    site: Short
    csr: Pem
    at_ms: Annotated[int, Meta(ge=0, le=2**62)]
    signature: Short
    version: Version = ""

    def proof(self) -> bytes:
        """What is signed: everything that is asked."""
        return msgspec.json.encode(["vedette renew", self.site, self.agent, self.at_ms, self.csr, self.version])


class Enrolled(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's name, its certificate, whom it must trust at the broker (both PEM), and where that is."""

    agent: str
    certificate: str
    ca: str
    bootstrap_servers: tuple[str, ...]
