"""A bench's last word and exit code, and what its cameras show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.bench.report import Row, at_most, missing, outcome
from tests.bench.site import CLIP, recorded_clip
from vedette.errors import SetupError

MET, FAILED = at_most("latency", "p50", 40, 60), at_most("latency", "p95", 140, 120)
UNKNOWN = missing("tracking", "against four others", "there is no ../shared")


@pytest.mark.parametrize(
    ("rows", "code", "first"),
    [
        ([MET, MET], 0, "2 of 2 rows met"),
        ([MET, UNKNOWN], 3, "1 of 2 rows met"),
        ([UNKNOWN, FAILED, MET], 1, "1 of 3 rows met"),
        ([], 3, "0 of 0 rows met"),
    ],
)
def test_the_code_is_of_the_worst_row(rows: list[Row], code: int, first: str) -> None:
    found, lines = outcome(rows)
    assert (found, lines[0]) == (code, first)


def test_numpys_truth_counts_like_pythons() -> None:
    assert outcome([at_most("vision", "ratio", np.float64(1.2), 1.1)])[0] == 1


def test_what_failed_and_what_was_not_measured_is_said_with_its_reason() -> None:
    assert outcome([UNKNOWN, FAILED, MET, UNKNOWN])[1] == [
        "1 of 4 rows met",
        "1 NOT MET:",
        "  latency, p95: 140.00",
        "2 not measured:",
        *["  tracking, against four others: there is no ../shared"] * 2,
    ]


def test_the_cameras_show_the_recorded_clip_or_the_demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo, recorded = tmp_path / "demo.avi", tmp_path / "shared" / CLIP
    demo.write_bytes(b"a video")
    monkeypatch.setenv("VEDETTE_DEMO_CLIP", str(demo))
    assert recorded_clip(tmp_path / "shared") == demo
    recorded.parent.mkdir(parents=True)
    recorded.write_bytes(b"another")
    assert recorded_clip(tmp_path / "shared") == recorded


def test_a_clip_that_can_not_be_had_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDETTE_DEMO_CLIP", str(tmp_path / "gone.avi"))
    with pytest.raises(SetupError, match="does not exist"):
        recorded_clip(tmp_path)
