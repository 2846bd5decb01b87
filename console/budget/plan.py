"""Which setting each rule gets, so that all budgets are held at the highest value together.

Each rule begins with its most valuable setting within its own budget; settings that another one beats in number and
value are left out. While the site's or a camera's budget is exceeded, the change that costs the least value for the
excess that it takes away is made (Everett's greedy step, 1963). Then each rule takes the most valuable setting that
still fits, until none changes: for one rule that is the best there is, for several a local optimum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from console.budget.outcomes import Outcome, Past, Setting, candidates, chances, outcome
from contracts.config import AlertBudget

LEAST_ANSWERS = 10
"""With fewer answers to a rule nothing is suggested for it."""
ROUNDS = 1000


class RuleHistory(NamedTuple):
    """A rule as it is, and its alerts by start. `fixed`: its thresholds are not to be changed."""

    name: str
    setting: Setting
    pasts: Sequence[Past]
    fixed: bool = False


class RulePlan(NamedTuple):
    """What a rule told under today's setting, and would under the suggested one (the same: nothing is suggested)."""

    name: str
    now: Outcome
    then: Outcome

    @property
    def changed(self) -> bool:
        """Whether something is suggested."""
        return self.now.setting != self.then.setting


class Plan(NamedTuple):
    """All rules. `unmet` are the budgets that no settings hold: `site`, `rule NAME`, `camera NAME`."""

    rules: tuple[RulePlan, ...]
    unmet: tuple[str, ...]


def plan(histories: Sequence[RuleHistory], budget: AlertBudget, hours: float) -> Plan:
    """The settings that hold the budgets over `hours` at the highest value."""
    offered = {one.name: _offered(one, budget, hours) for one in histories}
    now = {name: outcomes[0] for name, outcomes in offered.items()}
    if not has_budget(budget):
        return Plan(tuple(RulePlan(name, one, one) for name, one in now.items()), ())
    fitting = {name: _within_own(name, _unbeaten(outcomes), budget, hours) for name, outcomes in offered.items()}
    chosen = {name: max(outcomes, key=lambda one: one.value) for name, outcomes in fitting.items()}
    chosen = _relieved(chosen, fitting, budget, hours)
    chosen = _improved(chosen, fitting, budget, hours)
    unmet = [f"rule {name}" for name, one in chosen.items() if one.total > budget.rules.get(name, 2**31) * hours]
    unmet += [name for name, over in _shared(chosen.values(), budget, hours).items() if over > 0]
    return Plan(tuple(RulePlan(name, now[name], chosen[name]) for name in offered), tuple(unmet))


def has_budget(budget: AlertBudget) -> bool:
    """Whether any number is wanted."""
    return bool(budget.alerts_per_hour or budget.rules or budget.cameras)


def _offered(one: RuleHistory, budget: AlertBudget, hours: float) -> list[Outcome]:
    """Today's outcome first, then those of the other settings."""
    likely = chances(one.pasts)
    answered = sum(1 for past in one.pasts if past.verdict)
    settings = [one.setting] if one.fixed or answered < LEAST_ANSWERS else candidates(one.pasts, one.setting)
    return [outcome(one.pasts, likely, setting, budget.nuisance_cost) for setting in settings]


def _unbeaten(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that no other beats in number and value; of equals the one that changes least, which comes first."""
    kept: list[Outcome] = []
    for one in sorted(outcomes, key=lambda one: (one.total, -one.value)):  # stable
        if not kept or one.value > kept[-1].value:
            kept.append(one)
    return kept


def _within_own(name: str, outcomes: Sequence[Outcome], budget: AlertBudget, hours: float) -> list[Outcome]:
    """The outcomes within the rule's own budget; the least one where none is."""
    most = budget.rules.get(name, 2**31) * hours
    return [one for one in outcomes if one.total <= most] or [min(outcomes, key=lambda one: one.total)]


def _shared(chosen: Iterable[Outcome], budget: AlertBudget, hours: float) -> dict[str, float]:
    """By how much of it each budget that rules share is exceeded (0: it is held)."""
    counts: dict[str, int] = {}
    for one in chosen:
        for camera, count in one.alerts.items():
            counts[camera] = counts.get(camera, 0) + count
    wanted = {f"camera {name}": (counts.get(name, 0), most) for name, most in budget.cameras.items()}
    if budget.alerts_per_hour is not None:
        wanted["site"] = (sum(counts.values()), budget.alerts_per_hour)
    return {name: max(0.0, count / (most * hours) - 1) for name, (count, most) in wanted.items()}


def _excess(chosen: Mapping[str, Outcome], budget: AlertBudget, hours: float) -> float:
    return sum(_shared(chosen.values(), budget, hours).values())


def _relieved(
    chosen: Mapping[str, Outcome], fitting: Mapping[str, Sequence[Outcome]], budget: AlertBudget, hours: float
) -> dict[str, Outcome]:
    """Steps of the least loss for what they take away, until the budgets are held or nothing helps."""
    current = dict(chosen)
    over = _excess(current, budget, hours)
    for _ in range(ROUNDS):
        best: tuple[float, float, str, Outcome] | None = None
        for name, outcomes in fitting.items():
            for one in outcomes:
                left = _excess(current | {name: one}, budget, hours)
                if left < over:
                    price = (current[name].value - one.value) / (over - left)
                    if best is None or (price, left) < best[:2]:
                        best = (price, left, name, one)
        if best is None:
            break
        over = best[1]
        current[best[2]] = best[3]
    return current


def _improved(
    chosen: Mapping[str, Outcome], fitting: Mapping[str, Sequence[Outcome]], budget: AlertBudget, hours: float
) -> dict[str, Outcome]:
    """Each rule in turn takes the most valuable setting that exceeds nothing further, until none changes."""
    current = dict(chosen)
    for _ in range(ROUNDS):
        before = dict(current)
        for name, outcomes in fitting.items():
            over = _excess(current, budget, hours)
            for one in outcomes:
                better = one.value > current[name].value
                if better and _excess(current | {name: one}, budget, hours) <= over:
                    current[name] = one
        if current == before:
            break
    return current
