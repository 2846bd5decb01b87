"""The topic says what the log says, and the log learns what the stream took back."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.registry import Registry, held, learn, missing
from contracts.codec import encode
from contracts.controls import LEAD_MS, Control, EndCandidate, SetModel
from tests.registry_tools import AT_MS, SITE, made, opened, pass_gate


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Version 1 is in service, 2 a canary at the gate."""
    registry = opened(tmp_path)
    registry.adopt(made(tmp_path, "1"), SITE, by="bea")
    registry.register(made(tmp_path, "2"), by="bea")
    pass_gate(registry, "detector@2", against="detector@1")
    registry.promote("detector@2", SITE, "canary", by="bea", cameras=("gate",))
    return registry


def told(registry: Registry, topic: list[Control], now_ms: int = AT_MS) -> list[Control]:
    """The topic after one more round."""
    return [*topic, *missing(registry, SITE, of(topic), now_ms)]


def of(topic: list[Control]) -> dict[str, Control]:
    return held([encode(one) for one in topic], SITE)


def test_what_is_in_service_and_the_candidate_are_told_once(registry: Registry) -> None:
    topic = told(registry, [])
    service, candidate = (one.change for one in topic)
    assert isinstance(service, SetModel)
    assert isinstance(candidate, SetModel)
    assert (service.manifest.id, service.stage) == ("detector@1", "everywhere")
    assert (candidate.manifest.id, candidate.stage, candidate.cameras) == ("detector@2", "canary", ("gate",))
    assert {one.effective_from_ms for one in topic} == {AT_MS + LEAD_MS}
    assert told(registry, topic) == topic


def test_a_word_that_got_lost_comes_with_the_next_round(registry: Registry) -> None:
    topic = told(registry, [])[:1]
    assert [one.change for one in told(registry, topic)[1:]] == [told(registry, [])[1].change]


def test_the_candidate_ends_when_it_is_rolled_back_or_goes_everywhere(registry: Registry) -> None:
    topic = told(registry, [])
    registry.promote("detector@2", SITE, "everywhere", by="bea")
    topic = told(registry, topic)
    service, end = (one.change for one in topic[-2:])
    assert isinstance(service, SetModel)
    assert service.manifest.id == "detector@2"
    assert isinstance(end, EndCandidate)
    assert end.model == "detector@2"
    assert topic[-1].version > topic[1].version, "of the same millisecond, and above all the same"
    registry.rollback("detector", SITE, by="bea")
    back = told(registry, topic)[-1].change
    assert isinstance(back, SetModel)
    assert back.manifest.id == "detector@1"


def test_what_the_stream_took_back_stands_in_the_log_and_is_not_told_again(registry: Registry) -> None:
    topic = told(registry, [])
    end = EndCandidate(
        task="detector", model="detector@2", by="rollout-guard", reason="alerts at gate: 9 times as many"
    )
    topic.append(Control(site=SITE, origin="console", version=AT_MS + 60_000, effective_from_ms=AT_MS, change=end))
    assert learn(registry, SITE, of(topic)) == ["detector@2"]
    assert learn(registry, SITE, of(topic)) == []
    last = registry.decisions()[-1]
    assert (last.kind, last.by, last.why) == ("rolled_back", "rollout-guard", end.reason)
    assert registry.standing(SITE)["detector"].candidate is None
    assert told(registry, topic) == topic


def test_what_went_everywhere_is_told_with_the_one_before_and_can_be_taken_back(registry: Registry) -> None:
    topic = told(registry, [])
    registry.promote("detector@2", SITE, "everywhere", by="bea")
    topic = told(registry, topic)
    service = topic[-2].change
    assert isinstance(service, SetModel)
    assert service.before == registry.manifest("detector@1")
    end = EndCandidate(
        task="detector", model="detector@2", by="rollout-guard", reason="errors on 9 of 9", in_service=True
    )
    topic.append(Control(site=SITE, origin="console", version=AT_MS + 60_000, effective_from_ms=AT_MS, change=end))
    assert learn(registry, SITE, of(topic)) == ["detector@2"]
    assert learn(registry, SITE, of(topic)) == []
    assert registry.standing(SITE)["detector"].in_service == "detector@1"
    back = told(registry, topic)[-1].change
    assert isinstance(back, SetModel)
    assert (back.manifest.id, back.before) == ("detector@1", None), "what is back is held against nothing"


def test_what_was_told_without_the_one_before_is_not_told_anew(registry: Registry) -> None:
    registry.promote("detector@2", SITE, "everywhere", by="bea")
    plain = SetModel(manifest=registry.manifest("detector@2"), folder="")
    topic = [Control(site=SITE, origin="console", version=1, effective_from_ms=1, change=plain)]
    assert told(registry, topic) == topic


def test_an_end_from_before_the_promotion_is_no_word_on_it(registry: Registry) -> None:
    end = EndCandidate(task="detector", model="detector@2", by="rollout-guard", reason="latency")
    topic = [Control(site=SITE, origin="console", version=AT_MS - 1, effective_from_ms=AT_MS, change=end)]
    assert learn(registry, SITE, of(topic)) == []
    assert isinstance(told(registry, topic)[-1].change, SetModel)


def test_other_sites_and_what_is_no_control_are_not_looked_at(registry: Registry) -> None:
    other = Control(site="other", origin="console", version=1, effective_from_ms=1, change=told(registry, [])[0].change)
    assert held([None, b"no control", encode(other)], SITE) == {}
