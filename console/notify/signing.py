"""Signatures of webhooks, as Standard Webhooks 1.0 describes them: whoever has the secret knows who sent it, and when.

The headers are `webhook-id` (the same at each try: a receiver that has it ignores it), `webhook-timestamp` (seconds
since the epoch, of this try: a receiver refuses what is older than five minutes, so nobody sends it again) and
`webhook-signature`, `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

PREFIX = "whsec_"
TOLERANCE_S = 300


def sign(secret: str, id: str, at_ms: int, body: bytes) -> dict[str, str]:
    """The three headers for `body`."""
    stamp = str(at_ms // 1000)
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": _signature(secret, id, stamp, body)}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_ms: int) -> bool:
    """Whether `body` was signed with `secret` within TOLERANCE_S of now; `headers` have lower-case names."""
    id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not stamp.isascii() or not stamp.isdecimal() or abs(int(stamp) - now_ms // 1000) > TOLERANCE_S:
        return False
    wanted = _signature(secret, id, stamp, body)
    return any(hmac.compare_digest(one, wanted) for one in headers.get("webhook-signature", "").split())


def _signature(secret: str, id: str, stamp: str, body: bytes) -> str:
    digest = hmac.new(_key(secret), f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    """`whsec_` and base64, as the standard's tools make secrets; anything else is the key itself."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()
