"""The budget's arithmetic on generated answers, for which the best thresholds are known or can be tried out."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import msgspec
import pytest

from console.budget.outcomes import Past, Setting, candidates, chances, outcome, setting_of, with_setting
from console.budget.plan import LEAST_ANSWERS, Plan, RuleHistory, has_budget, plan
from console.store.rows import Judged
from contracts.config import AlertBudget, Loitering, ZoneEntry

HOUR_MS = 3_600_000
NOW = Setting(0.5, None, 30.0)


def past(at_h: float, verdict: Judged, **changes: Any) -> Past:
    at_ms = round(at_h * HOUR_MS)
    return Past(**({"camera": "gate", "started_at_ms": at_ms, "ended_at_ms": at_ms, "verdict": verdict} | changes))


def made(*histories: RuleHistory, hours: float = 100.0, **budget: Any) -> Plan:
    return plan(histories, msgspec.convert(budget, AlertBudget), hours)


def then(found: Plan, number: int = 0) -> Setting:
    return found.rules[number].then.setting


def by_confidence() -> list[Past]:
    """One alert each half hour: true ones from .80 on, unwanted ones up to .75, in no order."""
    chance = random.Random(4)
    pasts = [past(n, "true", confidence=chance.choice([0.80, 0.84, 0.9, 0.95])) for n in range(100)]
    return sorted(
        [*pasts, *(past(n + 0.5, "nuisance", confidence=chance.choice([0.5, 0.6, 0.7, 0.75])) for n in range(100))],
        key=lambda one: one.started_at_ms,
    )


def by_time() -> list[Past]:
    """True ones hold for 20 s and more, unwanted ones for 15 s at most."""
    return [
        past(n / 2, *(("true",) if n % 2 else ("false",)), held_s=(20 + n % 7) if n % 2 else (5 + n % 11))
        for n in range(200)
    ]


def by_bursts() -> list[Past]:
    """Each hour a true one that stands alone, and a burst of ten unwanted ones 100 s apart."""
    pasts = []
    for hour in range(100):
        pasts += [past(hour + 0.05 + n / 36, "nuisance") for n in range(10)]
        pasts.append(past(hour + 0.7, "true"))
    return pasts


@pytest.mark.parametrize(
    ("pasts", "now", "budget", "best"),
    [
        pytest.param(by_confidence(), NOW, 1, Setting(0.8, None, 30), id="confidence tells them apart"),
        pytest.param(by_time(), Setting(0.0, 5.0, 30), 1, Setting(0.0, 20.0, 30), id="time tells them apart"),
        pytest.param(by_bursts(), NOW, 2, Setting(0.5, None, 120), id="bursts are one incident"),
        pytest.param(by_confidence(), NOW, 5, Setting(0.8, None, 30), id="a wide budget is no reason for false ones"),
    ],
)
def test_the_best_thresholds_are_found(pasts: list[Past], now: Setting, budget: float, best: Setting) -> None:
    found = made(RuleHistory("r", now, pasts), alerts_per_hour=budget)
    (rule,) = found.rules
    assert rule.then.setting == best
    assert rule.then.true == rule.now.true == 100
    assert rule.then.total <= budget * 100
    assert found.unmet == ()


def test_what_is_lost_and_what_is_spared_is_counted() -> None:
    """Half of the true ones fit: the surest of them are kept, as far as the steps between go."""
    (rule,) = made(RuleHistory("r", NOW, by_confidence()), alerts_per_hour=0.5).rules
    assert (rule.now.true, rule.now.unwanted, rule.now.total) == (100, 100, 200)
    assert rule.then.setting.min_confidence in (0.9, 0.95)
    assert 0 < rule.then.true == rule.then.total <= 50
    assert rule.then.unwanted == 0


def chance_pasts(seed: int, rule: int = 0) -> list[Past]:
    """Alerts on two cameras, the likelier true the surer and the longer; a third is not answered."""
    chance = random.Random(seed * 10 + rule)
    pasts = []
    for n in range(120):
        confidence, held_s = round(chance.uniform(0.4, 0.99), 2), round(chance.expovariate(0.05), 1) + 5
        right = chance.random() < (confidence - 0.3) * min(1.0, held_s / 30)
        verdict: Judged = "" if chance.random() < 0.33 else "true" if right else "false"
        at_h = n * 0.8 + chance.random()
        pasts.append(past(at_h, verdict, confidence=confidence, held_s=held_s, camera=chance.choice(["gate", "hall"])))
    return sorted(pasts, key=lambda one: one.started_at_ms)


@pytest.mark.parametrize("seed", range(8))
def test_for_one_rule_nothing_that_was_tried_is_better(seed: int) -> None:
    pasts, now = chance_pasts(seed), Setting(0.4, 5.0, 30)
    (rule,) = made(RuleHistory("r", now, pasts), alerts_per_hour=0.4).rules
    likely = chances(pasts)
    fit = [one for setting in candidates(pasts, now) if (one := outcome(pasts, likely, setting, 0.1)).total <= 40]
    assert rule.then.value == max(one.value for one in fit)
    assert rule.then.total <= 40


@pytest.mark.parametrize("seed", range(4))
def test_rules_share_a_budget_about_as_well_as_can_be(seed: int) -> None:
    histories = [RuleHistory(f"r{n}", Setting(0.4, 5.0, 30), chance_pasts(seed, n)) for n in range(2)]
    found = made(*histories, alerts_per_hour=0.6)
    assert found.unmet == ()
    assert sum(rule.then.total for rule in found.rules) <= 60
    tried = [
        [outcome(one.pasts, chances(one.pasts), setting, 0.1) for setting in candidates(one.pasts, one.setting)]
        for one in histories
    ]
    best = max(a.value + b.value for a, b in product(*tried) if a.total + b.total <= 60)
    assert sum(rule.then.value for rule in found.rules) >= 0.95 * best


def test_the_rule_that_is_worth_less_gives_way() -> None:
    sure = [past(n / 2, "true", confidence=0.6) for n in range(200)]
    vague = [past(n / 2, "true" if n % 10 == 0 else "false", confidence=0.54 - (n % 5) / 100) for n in range(200)]
    found = made(RuleHistory("sure", NOW, sure), RuleHistory("vague", NOW, vague), alerts_per_hour=2.5)
    assert not found.rules[0].changed
    assert found.rules[1].changed
    assert found.unmet == ()


def test_a_rules_and_a_cameras_own_budget() -> None:
    pasts = by_confidence()
    found = made(RuleHistory("r", NOW, pasts), rules={"r": 0.3})
    assert found.rules[0].then.total <= 30
    halls = [one._replace(camera="hall") for one in pasts]
    found = made(RuleHistory("a", NOW, pasts), RuleHistory("b", NOW, halls), cameras={"hall": 0.3})
    assert then(found, 0).min_confidence == 0.8  # spared the false ones, but not a true one
    assert found.rules[0].then.true == 100
    assert found.rules[1].then.alerts["hall"] <= 30


def test_a_budget_that_no_threshold_holds_is_named() -> None:
    flat = [past(n / 10, "true", confidence=1.0) for n in range(1000)]
    found = made(RuleHistory("r", Setting(0.5, None, 3600), flat), alerts_per_hour=0.001, rules={"r": 0.001})
    assert found.unmet == ("rule r", "site")


@pytest.mark.parametrize(
    ("pasts", "fixed", "budget"),
    [
        pytest.param(by_confidence()[: LEAST_ANSWERS - 1], False, {"alerts_per_hour": 0.01}, id="too few answers"),
        pytest.param(
            [one._replace(verdict="") for one in by_confidence()], False, {"alerts_per_hour": 0.01}, id="none"
        ),
        pytest.param(by_confidence(), True, {"alerts_per_hour": 0.01}, id="the system's own health"),
        pytest.param(by_confidence(), False, {}, id="no budget"),
        pytest.param([past(n, "true", confidence=0.7) for n in range(50)], False, {"alerts_per_hour": 1}, id="held"),
    ],
)
def test_nothing_is_suggested(pasts: list[Past], fixed: bool, budget: dict[str, float]) -> None:
    found = made(RuleHistory("r", NOW, pasts, fixed), **budget)
    assert not found.rules[0].changed
    assert has_budget(msgspec.convert(budget, AlertBudget)) is bool(budget)


def test_who_joins_whom() -> None:
    """A true one that joins a true one is seen with it; one that joins an unwanted one is lost."""
    minute = 1 / 60
    pasts = [past(0, "true"), past(minute, "true"), past(1, "false"), past(1 + minute, "true")]
    found = outcome(pasts, chances(pasts), Setting(0.0, None, 100), 0.1)
    assert (found.total, found.true, found.unwanted) == (2, 2, 1)
    assert found.value == pytest.approx(1 + 1 - 0.1)
    apart = outcome(pasts, chances(pasts), Setting(0.0, None, 30), 0.1)
    assert (apart.total, apart.true, apart.unwanted) == (4, 3, 1)


def test_alerts_without_an_answer_are_like_those_nearest() -> None:
    surer = [past(n, "true", confidence=0.9) for n in range(40)] + [past(n, "false", confidence=0.5) for n in range(40)]
    likely = chances([*surer, past(99, "", confidence=0.92), past(99, "", confidence=0.48)])
    assert likely[-2:] == pytest.approx([20.5 / 21, 0.5 / 21])
    assert chances([past(1, "")]) == [0.5]


def test_a_rule_is_changed_only_where_the_setting_is() -> None:
    entry = ZoneEntry(zone="yard", min_confidence=0.5, cooldown_s=60)
    now = setting_of(entry, None)
    assert now == Setting(0.5, None, 60)
    assert with_setting(entry, now, Setting(0.7, None, 60)) == ZoneEntry(zone="yard", min_confidence=0.7, cooldown_s=60)
    stays = Loitering(zone="yard")
    assert setting_of(stays, 20.0).after_s == 20.0
    assert with_setting(stays, setting_of(stays, 20.0), Setting(0.0, 30.0, 30.0)).after_s == 30.0  # type: ignore[union-attr]
