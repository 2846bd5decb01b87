"""Signatures of webhooks: the standard's own example, and everything that must not pass."""

from __future__ import annotations

import pytest

from console.notify.signing import TOLERANCE_S, sign, verify

# From the specification of Standard Webhooks 1.0 and its libraries' tests.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT_S, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_standards_example() -> None:
    assert sign(SECRET, ID, AT_S * 1000, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": str(AT_S),
        "webhook-signature": SIGNATURE,
    }


@pytest.mark.parametrize(
    ("secret", "changes", "body", "late_s", "well"),
    [
        pytest.param(SECRET, {}, BODY, 0, True, id="as it was signed"),
        pytest.param(SECRET, {}, BODY, TOLERANCE_S, True, id="five minutes later"),
        pytest.param(SECRET, {}, BODY, TOLERANCE_S + 1, False, id="sent again later"),
        pytest.param(SECRET, {}, BODY, -TOLERANCE_S - 1, False, id="from the future"),
        pytest.param("plain secret", {}, BODY, 0, False, id="another secret"),
        pytest.param(SECRET, {}, BODY + b" ", 0, False, id="another body"),
        pytest.param(SECRET, {"webhook-id": "msg_2"}, BODY, 0, False, id="another id"),
        pytest.param(SECRET, {"webhook-timestamp": str(AT_S + 1)}, BODY, 0, False, id="another time"),
        pytest.param(SECRET, {"webhook-timestamp": "now"}, BODY, 0, False, id="no time"),
        pytest.param(SECRET, {"webhook-signature": ""}, BODY, 0, False, id="no signature"),
        pytest.param(SECRET, {"webhook-signature": f"v1,x {SIGNATURE}"}, BODY, 0, True, id="one of two secrets"),
    ],
)
def test_what_passes(secret: str, changes: dict[str, str], body: bytes, late_s: int, *, well: bool) -> None:
    headers = sign(SECRET, ID, AT_S * 1000, BODY) | changes
    assert verify(secret, headers, body, (AT_S + late_s) * 1000) is well


@pytest.mark.parametrize("secret", ["plain secret", "whsec_not base64!"])
def test_any_text_is_a_secret(secret: str) -> None:
    assert verify(secret, sign(secret, ID, AT_S * 1000, BODY), BODY, AT_S * 1000)
