"""Which larger models a smaller one is held against, by lineage and by what was replaced."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from archive.registry import Registry
from contracts.manifest import Lineage
from tests.registry_tools import made, opened
from training.gate.judge import Figures, Limits, Report
from vedette.larger import larger_than


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Versions 1 to 5, of which 5 is made from 4 and that from 3; and one that is made from what is gone."""
    registry = opened(tmp_path)
    parents = {"1": "", "2": "", "3": "", "4": "detector@3", "5": "detector@4", "6": "detector@0"}
    for version, parent in parents.items():
        lineage = Lineage(parent=parent or "detector@1", smaller_by=("8 bits",) if parent else ())
        registry.register(made(tmp_path, version, lineage=lineage), by="bea")
    return registry


def gated(
    registry: Registry, version: int, against: int, *, low: float, smaller: str = "", passed: bool = True
) -> None:
    """The gate's word, with the least difference over all."""
    figures = Figures(camera="", label="", boxes=9, before=0.5, after=0.5, low=low, high=0.2)
    names = {"candidate": f"detector@{version}", "against": f"detector@{against}"}
    report = Report(**names, sets=(), limits=Limits(), refusals=(), overall=figures, smaller=smaller)
    data = msgspec.json.encode(report), b"# said"
    registry.gated(names["candidate"], passed=passed, against=names["against"], report=data, by="gate", why="")


def ids(registry: Registry, tmp_path: Path, candidate: int, against: int) -> list[str]:
    found = larger_than(registry, f"detector@{candidate}", f"detector@{against}", tmp_path / "cache")
    return [one[0].id for one in found.models]


def test_what_it_was_made_smaller_from_step_by_step(registry: Registry, tmp_path: Path) -> None:
    assert ids(registry, tmp_path, 5, 1) == ["detector@4", "detector@3"]
    assert ids(registry, tmp_path, 2, 1) == [], "a training on is nothing smaller"
    assert larger_than(registry, "detector@6", "detector@1", tmp_path).lacking == ("detector@0",)


def test_what_smaller_ones_have_replaced_is_not_forgotten_for_better_ones(registry: Registry, tmp_path: Path) -> None:
    gated(registry, 2, 1, low=-0.01, smaller="0.50 times the size")
    gated(registry, 3, 2, low=0.001)
    gated(registry, 4, 3, low=-0.01, smaller="0.70 times the time")
    assert ids(registry, tmp_path, 2, 4) == ["detector@3", "detector@1"]


@pytest.mark.parametrize(
    "how",
    [
        {"low": 0.01, "smaller": "0.50 times the size"},
        {"low": -0.01, "smaller": "0.50 times the size", "passed": False},
    ],
    ids=["smaller and better", "forced past the gate"],
)
def test_what_was_replaced_otherwise_bounds_nothing(registry: Registry, how: dict[str, float], tmp_path: Path) -> None:
    gated(registry, 2, 1, **how)
    assert ids(registry, tmp_path, 3, 2) == []
