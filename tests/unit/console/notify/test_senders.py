"""What each kind of channel sends, taken by real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.notify.parcel import Parcel, Wording
from console.notify.senders import DeliveryError, open_sender
from console.notify.signing import verify
from console.secrets import Secrets
from contracts.config import Channel
from contracts.errors import ConfigError
from contracts.messages import Alert, Condition
from tests.console_tools import AT_MS, alert_of
from tests.receivers import HttpReceiver, http_receiver, mail_receiver

SECRETS = {"HOOK": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "PASSWORD": "p@ss/word", "TOKEN": "am-token-7"}
WORDING = Wording("Harbour office", {"gate": "Front gate"}.__getitem__, "Europe/Berlin", "https://vedette.example")


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


def send(channel: dict[str, Any], parcel: Parcel, secrets: Secrets | None = None) -> None:
    made: Channel = msgspec.convert({"timeout_s": 2} | channel, Channel)  # type: ignore[arg-type]
    known = secrets or Secrets(SECRETS)
    open_sender("x", made, known, site="harbour", address="https://vedette.example").deliver(parcel, AT_MS + 5000)


def parcel_of(picture: bytes | None = None, **changes: Any) -> Parcel:
    given = {"instructions": "Call 4711.", "trace": (Condition("dwell", ">= 5 s", "7 s"),)}
    return WORDING.single("77-1", "new", alert_of(1, **(given | changes)), AT_MS, picture)


def digest(*alerts: Alert) -> Parcel:
    return WORDING.digest("77-1-2", alerts, AT_MS)


def test_a_message_says_what_where_when_why_how_severe_and_what_to_do() -> None:
    parcel = parcel_of()
    assert parcel.title == "High: A person came into the yard – Front gate"
    assert parcel.text.splitlines() == [
        "A person came into the yard",
        "Where: Front gate, zone yard, Harbour office",
        "When: Mon 5 Jan 2026, 01:00:01 CET",
        "Severity: High",
        "Rule: intruder",
        "Because: dwell >= 5 s: 7 s",
        "What to do: Call 4711.",
        "https://vedette.example/?alert=alert-1",
    ]


def test_a_digest_counts_the_worst_first() -> None:
    alerts = [alert_of(n, severity="low", rule="path") for n in range(40)]
    alerts += [alert_of(50, severity="critical"), alert_of(51), *(alert_of(60 + n, rule=f"r{n}") for n in range(25))]
    parcel = digest(*alerts)
    assert parcel.title == "67 alerts at Harbour office: 1 critical, 26 high, 40 low"
    lines = parcel.text.splitlines()
    assert lines[0] == "From Mon 5 Jan 2026, 01:00:00 CET to Mon 5 Jan 2026, 01:01:24 CET:"
    assert lines[1] == "2 × intruder, Front gate (Critical)"
    assert lines[-2:] == ["and 46 more", "https://vedette.example/"]
    assert parcel.severity == "critical"


def test_a_webhook_gets_a_signed_cloud_event(receiver: HttpReceiver) -> None:
    send({"kind": "webhook", "url": f"{receiver.url}/hook", "secret": "{HOOK}"}, parcel_of())
    (got,) = receiver.got
    assert verify(SECRETS["HOOK"], got.headers, got.body, AT_MS + 5000)
    assert not verify("another", got.headers, got.body, AT_MS + 5000)
    assert got.headers["content-type"] == "application/cloudevents+json"
    event = got.json()
    assert (event["specversion"], event["id"], event["source"]) == ("1.0", "77-1", "/vedette/harbour")
    assert (event["type"], event["subject"]) == ("org.vedette.notification.new", "gate")
    assert event["data"]["link"] == "https://vedette.example/?alert=alert-1"
    assert msgspec.convert(event["data"]["alerts"][0], Alert).id == "alert-1"


@pytest.mark.parametrize(
    ("status", "refused"), [(400, True), (404, True), (301, True), (408, False), (429, False), (500, False)]
)
def test_which_answers_are_tried_again(receiver: HttpReceiver, status: int, refused: bool) -> None:
    receiver.statuses = [status]
    with pytest.raises(DeliveryError, match=f"answered {status}") as raised:
        send({"kind": "webhook", "url": receiver.url, "secret": "{HOOK}"}, parcel_of())
    assert raised.value.refused is refused


def test_nobody_there_and_nobody_who_answers_are_tried_again(receiver: HttpReceiver) -> None:
    receiver.hang_s = 0.5
    for url, timeout_s in (("http://127.0.0.1:9", 2), (receiver.url, 0.1)):
        with pytest.raises(DeliveryError, match=r"refused|no answer within 0\.1 s") as raised:
            send({"kind": "webhook", "url": url, "secret": "{HOOK}", "timeout_s": timeout_s}, parcel_of())
        assert not raised.value.refused


def test_alertmanager_gets_what_goes_on_and_what_is_over(receiver: HttpReceiver) -> None:
    over = alert_of(2, state="end", ended_at_ms=AT_MS + 60_000)
    send({"kind": "alertmanager", "url": receiver.url, "token": "{TOKEN}"}, digest(alert_of(1), over))
    (got,) = receiver.got
    assert (got.path, got.headers["authorization"]) == ("/api/v2/alerts", f"Bearer {SECRETS['TOKEN']}")
    going, ended = got.json()
    assert going["labels"] == {
        "alertname": "intruder",
        "severity": "high",
        "site": "home",
        "camera": "gate",
        "zone": "yard",
        "kind": "zone_entry",
        "label": "person",
        "alert": "alert-1",
    }
    assert going["startsAt"] == "2026-01-05T00:00:01.000+00:00"
    assert going["endsAt"] == "2026-01-05T00:04:05.000+00:00"  # four repeats from now
    assert ended["endsAt"] == "2026-01-05T00:01:00.000+00:00"
    assert going["generatorURL"] == "https://vedette.example/?alert=alert-1"


def test_a_mail_has_the_words_and_the_snapshot(tmp_path: Path) -> None:
    picture = b"\xff\xd8\xff\xe0 a picture"
    with mail_receiver(SECRETS["PASSWORD"]) as receiver:
        url = f"mailto://guard:{{PASSWORD}}@127.0.0.1:{receiver.port}/?from=v@site.example&to=guard@site.example"
        send({"kind": "apprise", "url": url}, parcel_of(picture))
        send({"kind": "apprise", "url": url, "snapshot": False}, parcel_of(picture))
        receiver.password = "changed since"
        known = Secrets(SECRETS)
        with pytest.raises(DeliveryError) as raised:
            send({"kind": "apprise", "url": url}, parcel_of(), known)
    mail, bare = receiver.mails
    assert mail["subject"] == "High: A person came into the yard – Front gate"
    words = mail.get_body(("plain",))
    assert words is not None
    assert "What to do: Call 4711." in words.get_content()
    (attached,) = mail.iter_attachments()
    assert (attached.get_content_type(), attached.get_content()) == ("image/jpeg", picture)
    assert not list(bare.iter_attachments())
    assert SECRETS["PASSWORD"] not in known.redact(str(raised.value))


def test_an_address_that_apprise_does_not_know_is_an_error_of_the_channel() -> None:
    with pytest.raises(DeliveryError, match="does not know"):
        send({"kind": "apprise", "url": "nonsense://x"}, parcel_of())


def test_a_secret_that_is_not_set_is_named_with_its_path() -> None:
    with pytest.raises(ConfigError, match=r"console.notifications.channels.x.secret: .* HOOK is not set"):
        send({"kind": "webhook", "url": "http://x", "secret": "{HOOK}"}, parcel_of(), Secrets({"OTHER": "1"}))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://x/p%40ss%2Fword failed", "https://x/*** failed"),
        ("login p@ss/word", "login ***"),
        ("am-token-7?", "am-token-7?"),  # was filled in nowhere: nothing is known of it
    ],
)
def test_secrets_are_taken_out_however_they_are_written(text: str, shown: str) -> None:
    secrets = Secrets(SECRETS)
    assert secrets.fill("mailto://u:{PASSWORD}@h", "p", in_url=True) == "mailto://u:p%40ss%2Fword@h"
    assert secrets.redact(text) == shown
