"""What all tests share: which of them can't run here, said aloud."""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
TORCH = importlib.util.find_spec("torch") is not None

collect_ignore = [] if TORCH else ["unit/training"]


def pytest_report_header() -> list[str]:
    """What is missing and so not tested."""
    lines = []
    if not TORCH:
        lines.append(
            "not run: tests/unit/training, tests marked `training` (that extra is not installed: make train-test)"
        )
    if not SHARED.is_dir():
        lines.append("not run: tests marked `shared` (no recorded data beside the project)")
    return lines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what may take longest; skip what needs the recorded data, or torch, where it is not."""
    _longest_first(items)
    for item in items:
        if not SHARED.is_dir() and item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason="needs the recorded data in ../shared"))
        if not TORCH and item.get_closest_marker("training"):
            item.add_marker(pytest.mark.skip(reason="needs the extra `training`"))


def _longest_first(items: list[pytest.Item]) -> None:
    """Order files by the longest time limit in them, then by how many tests they have.

    Processes take one file after the other (`--dist loadfile`). With one test of minutes among the last, one process
    is at work and the others wait for it.
    """
    counts = Counter(item.path for item in items)
    limits: dict[Path, float] = {}
    for item in items:
        limits[item.path] = max(limits.get(item.path, 0.0), _limit_s(item))
    items.sort(key=lambda item: (limits[item.path], counts[item.path]), reverse=True)


def _limit_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0] if marker else item.config.getini("timeout"))
