"""What all tests share: which of them can't run here, said aloud."""

from __future__ import annotations

import importlib.util
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
    """Skip what needs the recorded data, or torch, where it is not."""
    for item in items:
        if not SHARED.is_dir() and item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason="needs the recorded data in ../shared"))
        if not TORCH and item.get_closest_marker("training"):
            item.add_marker(pytest.mark.skip(reason="needs the extra `training`"))
