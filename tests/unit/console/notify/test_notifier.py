"""From the store to a real receiver: at least once, again after failures, one channel never in another's way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from archive.evidence import paths
from archive.evidence.files import Folder
from console import answers
from console.answers import Escalate
from console.evidence import EvidenceReader
from console.notify.courier import BACKOFF_S, Courier, backoff_s
from console.notify.notifier import NoChannelError, Notifier
from console.notify.signing import verify
from console.overlay import with_routes
from console.rights import ForbiddenError, Who
from console.secrets import Secrets
from console.store.notifications import NotificationRow
from console.store.store import Store
from contracts.config import Route
from contracts.config_file import parse
from contracts.metrics import Metrics
from contracts.trace import Span, child, first
from telemetry import Tracer
from tests.console_tools import AT_MS, alert_of, take
from tests.evidence_tools import KEY
from tests.receivers import HttpReceiver, http_receiver
from tests.waiting import wait_until

MARIA = Who("maria", "supervisor")
HOOK = {"kind": "webhook", "url": "URL/hook", "secret": "{HOOK}", "max_per_minute": 3}
ROUTE = {"channels": ["hook"], "group_s": 0, "cooldown_s": 0}


class World:
    """A store, a notifier on it, and a clock that is moved by hand."""

    def __init__(self, store: Store, receiver: HttpReceiver, folder: Path, given: dict[str, Any]) -> None:
        store.notifications.has_channels = True
        self.store, self.receiver, self.folder, self.now_ms = store, receiver, folder, AT_MS
        text = json.dumps({"cameras": {"gate": {"inputs": [{"url": "x.mp4"}]}}, "console": {"notifications": given}})
        self.registry = CollectorRegistry()
        self.spans: list[Span] = []
        config = self.config = parse(text.replace("URL", receiver.url))
        self.notifier = Notifier(
            config,
            in_force=lambda: self.config,
            store=store,
            address="http://vedette",
            evidence=EvidenceReader(store, Folder(folder), KEY),
            secrets=Secrets({"HOOK": "hook-secret", "BAD": "x" * 20}),
            measured=Metrics(self.registry),
            tracer=Tracer(self.spans.append),
            clock_ms=lambda: self.now_ms,
        )

    def courier(self, name: str = "hook") -> Courier:
        """One channel's courier."""
        return self.notifier._couriers[name]

    def happen(self, *numbers: int, **changes: Any) -> None:
        """Alerts come, and are decided on."""
        alerts = [alert_of(number, started_at_ms=self.now_ms, **changes) for number in numbers]
        take(self.store, *alerts, at_ms=self.now_ms)
        while self.notifier.step():
            continue

    def go_on(self, seconds: float = 0, name: str = "hook", steps: int = 20) -> None:
        """Time passes, and the courier has some steps."""
        self.now_ms += round(seconds * 1000)
        for _ in range(steps):
            self.courier(name).step(self.now_ms)

    def events(self) -> list[dict[str, Any]]:
        """What the receiver got."""
        return [one.json() for one in self.receiver.got]

    def rows(self, **wanted: Any) -> list[NotificationRow]:
        """The history, oldest first."""
        return self.store.notifications.history(**wanted)[::-1]

    def metric(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


def world(store: Store, receiver: HttpReceiver, folder: Path, *routes: dict[str, Any], **channels: Any) -> World:
    return World(store, receiver, folder, {"channels": channels or {"hook": HOOK}, "routes": routes or (ROUTE,)})


def test_an_alert_is_told_once_whatever_becomes_of_it(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    w = world(store, receiver, tmp_path)
    w.happen(1)
    w.happen(1, revision=1, state="update", severity="critical")
    w.happen(1, revision=2, state="end", ended_at_ms=AT_MS)
    w.go_on()
    (event,) = w.events()
    assert event["type"] == "org.vedette.notification.new"
    assert verify("hook-secret", receiver.got[0].headers, receiver.got[0].body, AT_MS)
    (row,) = w.rows()
    assert (row.status, row.alert, row.channel, row.done_at_ms) == ("sent", "alert-1", "hook", AT_MS)
    assert w.metric("vedette_notifications_total", channel="hook", outcome="sent") == 1


def test_nobody_is_called_for_a_question(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    w = world(store, receiver, tmp_path)
    w.happen(1, kind="question", severity="info")
    w.happen(2)
    w.go_on()
    assert [row.alert for row in w.rows()] == ["alert-2"]


def test_the_message_of_a_traced_alert_ends_its_trace(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    w = world(store, receiver, tmp_path)
    alert = first("home", "gate", 1, 1, AT_MS)
    w.happen(1, traceparent=alert)
    w.happen(2)
    w.go_on(2)
    (span,) = w.spans
    assert (span.stage, span.parent, span.begun_ms) == ("notify", child(alert, "store"), AT_MS)
    assert span.attributes == {"channel": "hook", "event": "new"}


def test_its_end_and_its_escalation_are_told_where_that_is_asked_for(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    w = world(store, receiver, tmp_path, ROUTE | {"events": ["new", "escalated", "end"]})
    w.happen(1)
    with store.database.write() as connection:
        (row,) = store.alerts.rows_of(connection, ["alert-1"])
        answers.write(store, connection, "", row, Escalate(), at_ms=AT_MS, answer_id="")
    w.happen(1, revision=1, state="end", ended_at_ms=AT_MS + 1)
    w.go_on()
    assert [one["type"].rpartition(".")[2] for one in w.events()] == ["new", "escalated", "end"]


def test_a_failure_is_tried_again_later_with_the_same_id_and_another_time(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    w = world(store, receiver, tmp_path)
    receiver.statuses = [500, 503]
    w.happen(1)
    w.go_on()
    assert len(receiver.got) == 1
    assert w.courier().standing.error == "answered 500"
    (row,) = w.rows()
    assert (row.status, row.tries, row.error) == ("waiting", 1, "answered 500")
    w.go_on(BACKOFF_S[0])
    w.go_on(BACKOFF_S[1] - 0.1)
    assert len(receiver.got) == 2
    w.go_on(0.2)
    assert len({one.headers["webhook-id"] for one in receiver.got}) == 1
    assert len({one.headers["webhook-timestamp"] for one in receiver.got}) == 3
    assert [row.status for row in w.rows()] == ["sent"]
    assert w.courier().standing.failing_since_ms == 0
    assert w.metric("vedette_notifications_total", channel="hook", outcome="retried") == 2


def test_what_is_refused_or_too_old_is_given_up_and_says_why(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    w = world(store, receiver, tmp_path, hook=HOOK | {"give_up_s": 100})
    receiver.statuses = [400, 500, 500]
    w.happen(1)
    w.happen(2)
    w.go_on()
    w.go_on(101)
    assert [(row.status, row.error) for row in w.rows()] == [("failed", "answered 400"), ("failed", "answered 500")]
    assert w.metric("vedette_notifications_total", channel="hook", outcome="failed") == 2


def test_what_has_waited_for_a_channel_goes_as_one(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    w = world(store, receiver, tmp_path)
    receiver.statuses = [500]
    w.happen(0, 1, 2)
    w.go_on()
    w.now_ms += 61_000
    w.happen(3, 4)
    w.go_on()
    digest = w.events()[1]
    assert digest["type"] == "org.vedette.notification.digest"
    assert [one["id"] for one in digest["data"]["alerts"]] == [f"alert-{number}" for number in range(5)]
    assert len(receiver.got) == 2
    assert {(row.status, row.digest) for row in w.rows()} == {("sent", 5)}


def test_a_flood_is_three_messages_and_a_digest(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    w = world(store, receiver, tmp_path)
    for number in range(40):
        w.happen(number)
        w.go_on(0.1, steps=2)
    assert [one["type"].rpartition(".")[2] for one in w.events()] == ["new"] * 3
    assert [row.reason for row in w.rows(status="waiting")] == ["collected"] * 37
    w.go_on(60)
    assert len(w.events()[3]["data"]["alerts"]) == 37
    assert len(receiver.got) == 4


def test_what_is_not_sent_is_in_the_history_with_its_reason(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    w = world(store, receiver, tmp_path, ROUTE | {"group_s": 100, "severities": ["high"]})
    w.happen(1, 2)
    w.happen(3, severity="low")
    assert [(row.channel, row.status, row.reason) for row in w.rows()] == [
        ("hook", "waiting", ""),
        ("hook", "withheld", "grouped"),
        ("", "withheld", "no_route"),
    ]


def test_a_channel_that_hangs_keeps_no_other_waiting(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    with http_receiver() as slow:
        slow.hang_s = 3.0
        channels = {"hook": HOOK, "slow": HOOK | {"url": slow.url, "timeout_s": 10}}
        w = world(store, receiver, tmp_path, ROUTE | {"channels": ["slow", "hook"]}, **channels)
        w.notifier.start()
        take(store, *(alert_of(number, started_at_ms=AT_MS) for number in range(3)), at_ms=AT_MS)
        wait_until(lambda: len(receiver.got) == 3, within_s=2.5)
        assert slow.got == []
        w.notifier.stop()
    # Its thread comes back when the answer does: it must be gone before the store is closed.
    wait_until(lambda: "notify slow" not in {thread.name for thread in threading.enumerate()}, within_s=20.0)


def test_a_channel_that_is_set_up_wrong_fails_alone_and_without_its_secret(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    channels = {
        "hook": HOOK,
        "bad": HOOK | {"url": "http://127.0.0.1:9/{BAD}"},
        "unset": HOOK | {"secret": "{NONE}"},
    }
    w = world(store, receiver, tmp_path, ROUTE | {"channels": ["bad", "unset", "hook"]}, **channels)
    w.happen(1)
    for name in channels:
        w.go_on(name=name)
    assert len(receiver.got) == 1
    said = {view.name: view.standing.error for view in w.notifier.channels()}
    assert said["hook"] == ""
    assert "refused" in said["bad"]
    assert "x" * 20 not in said["bad"]
    assert said["unset"].endswith("the environment variable NONE is not set")
    w.notifier.measure()
    assert w.metric("vedette_notification_channel_up", channel="bad") == 0
    assert w.metric("vedette_notifications_waiting", channel="bad") == 1


def test_a_test_is_sent_at_once_by_who_may(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    w = world(store, receiver, tmp_path)
    receiver.statuses = [500]
    w.happen(1)
    w.go_on()  # it fails, and waits
    w.happen(2)  # this one waits for the channel too, and is not in the test's way
    w.notifier.test(MARIA, "hook", w.now_ms)
    w.go_on()
    assert w.events()[1]["data"]["title"] == "Test by maria – site"
    assert [(row.event, row.status) for row in w.rows()][-1] == ("test", "sent")
    assert (store.audit.page()[0].action, store.audit.page()[0].who) == ("notify test", "maria")
    with pytest.raises(ForbiddenError):
        w.notifier.test(Who("otto", "operator"), "hook", w.now_ms)
    with pytest.raises(NoChannelError):
        w.notifier.test(MARIA, "nowhere", w.now_ms)


def test_the_snapshot_is_waited_for_a_little_and_its_going_out_is_audited(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    chat = {"kind": "apprise", "url": receiver.url.replace("http", "json") + "/chat"}
    w = world(store, receiver, tmp_path, ROUTE | {"channels": ["chat"]}, chat=chat)
    w.happen(1)
    w.go_on(1, "chat")
    assert receiver.got == []
    Folder(tmp_path).write(paths.place_of(alert_of(1, started_at_ms=AT_MS)).file(paths.SNAPSHOT), b"a picture")
    w.go_on(0.1, "chat")
    (got,) = w.events()
    assert got["attachments"][0]["filename"] == paths.SNAPSHOT
    assert (store.audit.page()[0].action, store.audit.page()[0].subject) == ("notify", "alert-1")
    w.happen(2)
    w.go_on(3, "chat")  # none comes: the words alone
    assert len(receiver.got) == 2


def test_alertmanager_is_told_again_and_at_last_that_it_is_over(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    am = {"kind": "alertmanager", "url": receiver.url, "repeat_s": 60}
    w = world(store, receiver, tmp_path, ROUTE | {"channels": ["am"]}, am=am)
    w.happen(1, 2)
    w.go_on(0, "am")
    assert [[one["labels"]["alert"] for one in told] for told in w.events()[:1]] == [["alert-1", "alert-2"]]
    w.happen(1, revision=1, state="end", ended_at_ms=w.now_ms)
    w.go_on(0, "am")
    w.go_on(61, "am")
    assert [one["labels"]["alert"] for one in w.events()[-1]] == ["alert-2"]
    (over,) = [told for told in w.events() if told[0]["endsAt"] <= told[0]["startsAt"]]
    assert over[0]["labels"]["alert"] == "alert-1"


def test_an_alert_that_is_deleted_meanwhile_is_told_to_nobody(
    store: Store, receiver: HttpReceiver, tmp_path: Path
) -> None:
    w = world(store, receiver, tmp_path)
    w.happen(1)
    store.alerts.forget(AT_MS + 1, AT_MS)
    w.go_on()
    assert receiver.got == []
    assert [(row.status, row.reason) for row in w.rows()] == [("withheld", "gone")]


def test_the_history_goes_with_its_alerts(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    w = world(store, receiver, tmp_path)
    w.happen(1)
    w.go_on()
    w.now_ms += 1000
    w.happen(2)
    store.notifications.forget(AT_MS + 1)
    assert [row.alert for row in w.rows()] == ["alert-2"]


def test_without_channels_nothing_is_kept(store: Store) -> None:
    take(store, alert_of(1))
    with store.database.read() as connection:
        assert store.notifications.pending(connection, 10) == []


@pytest.mark.parametrize(("failures", "expected"), [(1, 1.0), (2, 5.0), (6, 900.0), (60, 900.0)])
def test_backoff(failures: int, expected: float) -> None:
    assert backoff_s(failures) == expected


def test_changed_routes_count_from_the_next_notice_on(store: Store, receiver: HttpReceiver, tmp_path: Path) -> None:
    world = World(store, receiver, tmp_path, {"channels": {"hook": HOOK}, "routes": [ROUTE | {"group_s": 600}]})
    world.happen(1)
    world.happen(2)
    world.config = with_routes(world.config, (Route(channels=("hook",), severities=("critical",)),))
    world.happen(3)
    world.config = with_routes(world.config, (Route(channels=("hook",), group_s=600),))
    world.happen(4)  # a new route: no incident of another one silences it
    assert [row.reason for row in world.rows()] == ["", "grouped", "no_route", ""]
