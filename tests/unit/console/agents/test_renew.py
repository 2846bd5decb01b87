"""A certificate renews itself, and nobody else's; what the thief of a key could try stands in a table."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from console.parts import Parts
from contracts import metrics
from contracts.enrolment import RENEW_PATH, Renew
from contracts.metrics import Metrics
from edge.identity import EnrolmentError, Identity
from edge.rotation import Rotation, due_at_ms, pause_s
from tests.agent_tools import ADA, HOUR_MS, SITE, asks, enrolled, told
from tests.api_tools import Clock
from vault import AgentKey


def test_a_certificate_is_renewed_after_half_of_its_life(parts: Parts, clock: Clock, agent: Identity) -> None:
    enrolment, renewals, made = enrolled(parts, agent), [], Metrics(CollectorRegistry())
    rotation = Rotation(
        *(agent, enrolment, asks(parts)), version="1.1", now_ms=clock, renewed=lambda: renewals.append(1), made=made
    )
    first = agent.certificate
    assert 30 < rotation.step(clock.now_ms) <= 600
    assert (agent.certificate.serial, renewals) == (first.serial, [])
    clock.now_ms = round(due_at_ms(first.begins_at_ms, first.expires_at_ms))
    rotation.step(clock.now_ms)
    second = agent.certificate
    assert second.serial != first.serial
    assert second.public != first.public
    assert renewals == [1]
    gauge = made.registry.get_sample_value(metrics.CERTIFICATE_EXPIRES.name)
    assert gauge == second.expires_at_ms / 1000
    assert clock.now_ms < first.begins_at_ms + (first.expires_at_ms - first.begins_at_ms) * 2 / 3
    assert parts.store.agents.all()[0].version == "1.1"
    rotation.step(clock.now_ms)
    assert agent.certificate.serial == second.serial


def test_one_that_gets_no_next_certificate_still_says_when_its_own_ends(
    parts: Parts, clock: Clock, agent: Identity
) -> None:
    def away(path: str, body: bytes) -> bytes:
        raise EnrolmentError("the console is away")

    enrolment, made = enrolled(parts, agent), Metrics(CollectorRegistry())
    rotation = Rotation(agent, enrolment, away, version="1", now_ms=clock, renewed=lambda: None, made=made)
    with pytest.raises(EnrolmentError, match="away"):
        rotation.step(agent.certificate.expires_at_ms - 1)
    assert made.registry.get_sample_value(metrics.CERTIFICATE_EXPIRES.name) == agent.certificate.expires_at_ms / 1000


@pytest.mark.parametrize(("life_s", "pause"), [(10, 0.5), (6 * 3600, 216), (7 * 86_400, 600)])
def test_tries_are_many_within_a_life_and_never_a_flood(life_s: int, pause: float) -> None:
    assert pause_s(0, life_s * 1000) == pause


def test_an_answer_that_was_lost_is_given_again(parts: Parts, clock: Clock, agent: Identity) -> None:
    enrolment = enrolled(parts, agent)

    def lost(path: str, body: bytes) -> bytes:
        asks(parts)(path, body)
        raise EnrolmentError("the connection broke")

    first = agent.certificate
    with pytest.raises(EnrolmentError, match="broke"):
        agent.renew(lost, enrolment, clock.now_ms, "1.0")
    assert agent.certificate.serial == first.serial
    assert agent.renew(asks(parts), enrolment, clock.now_ms, "1.0").serial != first.serial
    assert [action for action, _ in told(parts)].count("renew agent") == 1


def test_a_key_that_a_crash_left_behind_is_not_used_twice(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolment, first = enrolled(parts, agent), agent.certificate
    (tmp_path / "agent" / "waiting.key").write_bytes((tmp_path / "agent" / "agent.pem").read_bytes())
    assert agent.renew(asks(parts), enrolment, clock.now_ms, "1.0").public != first.public


def _stolen(tmp_path: Path, at_ms: int, name: str = "north") -> Renew:
    """Asked by who has a copy of the agent's file."""
    asked = Renew(agent=name, site=SITE, csr=AgentKey.new().request(), at_ms=at_ms, signature="-")
    signature = AgentKey.parse((tmp_path / "agent" / "agent.pem").read_bytes()).sign(asked.proof())
    return replace(asked, signature=base64.b64encode(signature).decode())


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (lambda files, now_ms: replace(_stolen(files, now_ms), signature="!"), "not signed"),
        (lambda files, now_ms: replace(_stolen(files, now_ms), csr=AgentKey.new().request()), "not signed"),
        (lambda files, now_ms: replace(_stolen(files, now_ms), agent="south"), "not signed"),
        (lambda files, now_ms: _stolen(files, now_ms, "south"), "not signed"),
        (lambda files, now_ms: _stolen(files, now_ms, "east"), "needs a new token"),
        (lambda files, now_ms: _stolen(files, now_ms - HOUR_MS), "clock"),
        (lambda files, now_ms: _stolen(files, now_ms + HOUR_MS), "clock"),
        (lambda files, now_ms: replace(_stolen(files, now_ms), site="elsewhere"), "of the site home"),
    ],
    ids=["no signature", "other key", "other agent", "as another", "nobody", "a replay", "ahead", "other site"],
)
def test_who_has_not_the_certificate_in_use_renews_nothing(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path, attack: Callable[[Path, int], Renew], why: str
) -> None:
    enrolled(parts, agent)
    enrolled(parts, Identity(tmp_path / "south"), "south")
    before = parts.store.agents.all()
    with pytest.raises(EnrolmentError, match=why):
        asks(parts)(RENEW_PATH, msgspec.json.encode(attack(tmp_path, clock.now_ms)))
    assert parts.store.agents.all() == before
    assert told(parts)[-1][0] == "refuse agent"


def test_a_certificate_renews_nothing_once_it_is_replaced_ended_or_taken_out(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolment, ask = enrolled(parts, agent), asks(parts)
    of_before = _stolen(tmp_path, clock.now_ms)
    agent.renew(ask, enrolment, clock.now_ms, "1.0")
    with pytest.raises(EnrolmentError, match="not signed"):
        ask(RENEW_PATH, msgspec.json.encode(of_before))
    clock.now_ms = agent.certificate.expires_at_ms
    with pytest.raises(EnrolmentError, match="has ended"):
        agent.renew(ask, enrolment, clock.now_ms, "1.0")
    clock.now_ms -= HOUR_MS
    parts.agents.revoke(ADA, "north")
    with pytest.raises(EnrolmentError, match="needs a new token"):
        agent.renew(ask, enrolment, clock.now_ms, "1.0")


def test_a_copied_request_gives_what_only_the_agent_can_use(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolled(parts, agent)
    asked = msgspec.json.encode(_stolen(tmp_path, clock.now_ms))
    first, again = (msgspec.json.decode(asks(parts)(RENEW_PATH, asked))["certificate"] for _ in range(2))
    assert first == again


def test_two_with_one_key_show_in_the_audit_and_are_taken_out(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolment, ask = enrolled(parts, agent), asks(parts)
    ask(RENEW_PATH, msgspec.json.encode(_stolen(tmp_path, clock.now_ms)))  # the thief was faster
    with pytest.raises(EnrolmentError, match="not signed"):
        agent.renew(ask, enrolment, clock.now_ms, "1.0")
    assert told(parts)[-2:] == [("renew agent", "north"), ("refuse agent", "north")]
    parts.agents.revoke(ADA, "north")
    enrolled(parts, agent)
    assert [one.revoked_at_ms for one in parts.store.agents.all()] == [0]
