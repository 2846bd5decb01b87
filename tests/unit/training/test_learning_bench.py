"""The learning bench's rows: what counts as better."""

from __future__ import annotations

import pytest

from tests.bench.learning_bench import rows

pytestmark = pytest.mark.training


@pytest.mark.parametrize(
    ("hard", "drawn", "verdict"),
    [
        ((0.5, 0.5), (0.4, 0.4), "met"),
        ((0.5, 0.3), (0.4, 0.4), "NOT MET"),
        ((0.3, 0.3), (0.4, 0.4), "NOT MET"),
        ((0.5,), (0.4, 0.9), "met"),
    ],
    ids=["better", "as good", "worse", "one drawing has no counterpart yet"],
)
def test_hard_samples_are_better_only_where_they_are(
    hard: tuple[float, ...], drawn: tuple[float, ...], verdict: str
) -> None:
    results = {
        f"{kind}-8-{seed}": {"last": last}
        for kind, values in (("hard", hard), ("random", drawn))
        for seed, last in enumerate(values, 1)
    }
    assert [(row.what.split(",")[0], row.verdict) for row in rows(results)] == [
        ("hard before random at 8 labels", verdict)
    ]


def test_what_was_not_measured_is_said() -> None:
    assert [row.verdict for row in rows({})] == ["not measured"]
