"""Each fault is provoked once in a site behind TLS; a real Prometheus sees it, each panel and rule gets its data."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from contracts import topics
from contracts.codec import encode
from contracts.edge_messages import EdgeStatus
from contracts.messages import Evidence, FrameRef
from tests.console_tools import alert_of
from tests.manifests.test_dashboards import BOARDS, expressions
from tests.manifests.test_monitoring import ALERTS, PROMETHEUS, RULES
from tests.prometheus import Prometheus, needs_prometheus, prometheus
from tests.watched_site import DAY_MS, LEARNT, MINUTE_MS, SITE, WatchedSite, now_ms
from vault.master import VARIABLE

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(900), needs_prometheus]

PATIENCE_S = 150.0
CLOCK_OFF_MS = 9_000
BACKLOG = 300
"""Frames that wait when the jobs begin; the some MB that Flink's source has in its hands are not counted as lag."""
NOT_PROVOKED = {
    "CameraUnread": "an agent whose site.yaml is an old one",
    "AgentOutdated": "a day",
    "RatesLowered": "jobs that are behind for two minutes (tests/unit/stream/jobs/test_pacing.py)",
}
"""What is missing here, by what it would need: promtool's tests have these (deploy/prometheus/rules.test.yaml)."""
NOT_MEASURED = {
    r"container_|kubelet_": "Kubernetes",
    r"decision=\"identified\"": "somebody recognised (tests/jobs/test_faces.py)",
    r"vedette_identity_answers": "somebody recognised, and an operator's word on it",
    r"vedette_agents_refused": "somebody with a token that is void (tests/unit/console/agents/test_enrol.py)",
    r"vedette_agent_certificate": "an agent that has enrolled (tests/unit/console/live/test_fleet.py)",
    r"vedette_model_confidence_shift": "a candidate that sees the same things less surely",
    r"vedette_events_silenced": "the same thing again after a verdict (tests/jobs/test_rules.py)",
    r"vedette_evidence_deleted": "a day that has passed",
}
"""Series that nothing makes here, by what they would need: tests/manifests/test_prometheus.py has them as declared."""
CAME = """group by (alertname) (
  last_over_time(ALERTS{alertstate="firing"}[10m]) or last_over_time(ALERTS{alertname="LagHigh"}[10m])
)"""
"""The alerts that fired by now. A backlog is worked off sooner than LagHigh waits: that it was seen is enough."""
LATER = r"restarts|frames_(dropped|spooled)|outbox"
"""What nothing has to say before a worker dies and the broker is gone."""
CONFIG = """
evidence: {pre_s: 1, post_s: 1}
history: {write_every_s: 2}
console:
  notifications:
    channels:
      away: {kind: webhook, url: "http://127.0.0.1:9/", secret: "{HOOK}"}
    routes: [{channels: [away], group_s: 0, cooldown_s: 0}]
"""


def hurried(rules: str) -> str:
    """The same rules where a minute is a second: windows, patience, and the ten seconds of LagHigh."""
    units = {"m": "s", "h": "m"}
    found = re.sub(r"(\[|offset |for: )(\d+)([mh])\b", lambda one: one[1] + one[2] + units[one[3]], rules)
    assert "lag_seconds:sum > 10" in found
    return found.replace("lag_seconds:sum > 10", "lag_seconds:sum > 10 / 60")


class Watch:
    """What a Prometheus has said by now: which alerts came, and which expressions never had data."""

    def __init__(self, asked: Prometheus) -> None:
        self._asked = asked
        self.came: set[str] = set()
        choices = {"$__rate_interval": "10s", "$__range": "5m", "$namespace": ".*", "$camera": ".*"}
        self.waiting = {rule["record"]: rule["record"] for rule in RULES if "record" in rule}
        for board in BOARDS:
            for title, expression in expressions(board):
                for name, value in choices.items():
                    expression = expression.replace(name, value)
                self.waiting[f"{board.stem}: {title}: {expression}"] = expression

    def look(self) -> None:
        """Ask for everything that had no answer yet."""
        came = self._asked.get("query", query=CAME) or {"result": []}
        self.came |= {one["metric"]["alertname"] for one in came["result"]}
        answers = {place: self._asked.get("query", query=expression) for place, expression in self.waiting.items()}
        self.waiting = {place: self.waiting[place] for place, data in answers.items() if not data or not data["result"]}

    def until(self, *alerts: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait for alerts, and do something again and again; fails with those that never came."""
        until = time.monotonic() + PATIENCE_S
        while not set(alerts) <= self.came:
            assert time.monotonic() < until, f"never came: {sorted(set(alerts) - self.came)}"
            meanwhile()
            time.sleep(0.5)
            self.look()

    def until_answered(self, *but: str) -> None:
        """Wait until every expression had data, but those of NOT_MEASURED and `but`; fails with them."""
        without = re.compile("|".join((*NOT_MEASURED, *but)))
        until = time.monotonic() + PATIENCE_S
        while missing := [one for one in self.waiting.values() if not without.search(one)]:
            assert time.monotonic() < until, f"never had data: {missing}"
            time.sleep(0.5)
            self.look()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedSite]:
    monkeypatch.setenv("HOOK", "a-secret-of-the-test")
    monkeypatch.setattr("edge.publisher.STUCK_S", 5.0)  # a minute until the agent gives a silent connection up
    master = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv(VARIABLE, master)
    with WatchedSite(tmp_path / "site", yaml.safe_load(CONFIG), CLOCK_OFF_MS, master) as site:
        yield site


def test_each_fault_is_seen_and_each_panel_and_rule_has_data(site: WatchedSite, tmp_path: Path) -> None:
    _put_what_waits(site)
    site.start()
    rules = tmp_path / "rules.yaml"
    rules.write_text(hurried((PROMETHEUS / "rules.yaml").read_text()))
    with prometheus(tmp_path, rules, site.targets(), {"console": site.token}) as asked:
        watch = Watch(asked)
        try:
            _live_through_it(site, watch)
        except AssertionError as error:
            pytest.fail(f"{error}\n{site.log()}")
        assert asked.traces("vedette_capture_to_detect_seconds_bucket")
        groups = asked.get("rules")["groups"]
    assert [rule["lastError"] for group in groups for rule in group["rules"] if rule["health"] != "ok"] == []
    wanted = {rule["alert"] for rule in ALERTS} - set(NOT_PROVOKED)
    # Where we may not mount a small disk, nobody has filled it.
    assert wanted - watch.came <= (set() if site.disk_is_small else {"DiskAlmostFull", "DiskFillsUp"})


def _put_what_waits(site: WatchedSite) -> None:
    """What is wrong in the log already when the parts start: letters, a backlog, models, an alert without its frame."""
    site.writer.put(topics.frames(SITE), b"no frame", "gate")
    site.promote("bright_raising", stage="canary", cameras=("gate",), share=1.0)
    site.send_backlog("annex", BACKLOG)
    site.send_faces("door", 0, ago_ms=3 * DAY_MS)  # of a day that never had a key
    site.send_visitors("hall", [250] * LEARNT + [150] * 3)
    alert = alert_of(1, site=SITE, started_at_ms=now_ms(), at_ms=now_ms())
    assert alert.evidence is not None
    gone: Evidence = replace(alert.evidence, ref=FrameRef(topics.frames(SITE), 0, 10**9))
    site.writer.put(topics.ALERTS, encode(replace(alert, evidence=gone)), "gate")


def _live_through_it(site: WatchedSite, watch: Watch) -> None:
    site.fill_disk()
    site.enrol("ann")
    site.send_faces("door", 100, ago_ms=MINUTE_MS)
    watch.until("CameraDown", "ClockOffset", "NotificationChannelDown", "EvidenceMissed")
    watch.until("DeadLetters", "LagHigh", "LatencyBudgetBurnsFast", "LatencyBudgetBurnsSlowly")
    watch.until("ModelFails", "ModelTakenBack", "CameraDrifts", "FaceVectorsDropped")
    site.promote("bright_boxes", folder=site.folder / "nowhere", stage="canary", cameras=("gate",), share=1.0)
    another = EdgeStatus(site=SITE, camera="gate", agent="another", session=1, at_ms=now_ms(), state="up")
    site.writer.put(topics.EDGE_STATUS, encode(another), "gate")
    # Frames whose places decide has seen, as of an agent that comes back with an old session.
    again = lambda: site.send_backlog("annex", 5)  # noqa: E731
    watch.until("ModelRefused", "CameraReadTwice", "CameraPassedOver", meanwhile=again)
    # Another candidate, which sees other things than the model in service: what is compared has its panels.
    site.promote("bright_blind", stage="canary", cameras=("gate",), share=1.0)
    site.wait("alerts", lambda: len(site.alerts()) >= 2)
    first, second = (one["id"] for one in site.alerts()[:2])
    site.answer(first, action="acknowledge")
    site.answer(first, action="verdict", verdict="true")
    site.answer(second, action="escalate")
    site.answer(second, action="verdict", verdict="nuisance")
    watch.until_answered(LATER)
    if site.disk_is_small:
        watch.until("DiskAlmostFull", "DiskFillsUp")

    site.cluster.kill_busy_worker()
    watch.until("TaskRestarts")

    site.broker.stop()
    site.history.kill()
    site.answer(first, action="comment", text="while the broker is away")
    watch.until("SpoolGrowing", "FramesDropped", "ConsoleOutboxGrowing", "CheckpointsFailing", "PartSilent")
    watch.until_answered()

    site.end_agent()
    watch.until("AgentSilent", "CertificateExpires", "AgentNotHeard")
