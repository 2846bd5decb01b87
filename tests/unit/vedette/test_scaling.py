"""The scaling page: what the code computes, by hand where a hand can."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedette.scaling import COSTS, Bulk, Cost, Prices, brokers, euros_a_camera, first_full, line_through, page
from vedette.sizing import need

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_what_the_code_computes() -> None:
    assert (DOCS / "scaling.md").read_text() == page()


def test_a_line_goes_through_its_points() -> None:
    line = line_through((1, 0.5), (16, 3.5))
    assert (line.at(1), line.at(16), line.a_camera) == pytest.approx((0.5, 3.5, 0.2))


def test_cores_of_a_part() -> None:
    cost = Cost(0.5, 0.1, 0.01, alone=True)
    assert cost.cores(10, 2.0) == pytest.approx(0.5 + 10 * (0.1 + 0.02))
    assert cost.cores(round(cost.full_at(2.0)), 2.0) == pytest.approx(1.0, abs=0.1)


def test_the_first_bottleneck_is_a_single_process() -> None:
    name, cameras = first_full()
    assert COSTS[name].alone
    assert COSTS[name].cores(round(cameras)) == pytest.approx(1.0, abs=0.01)


def test_a_frame_of_many_costs_less_than_one_alone() -> None:
    cost = Cost(0.1, 0.0, 0.001, alone=True, bulk=Bulk(0.2, 0.0001))
    assert cost.cores(1, 100.0) == pytest.approx(0.1 + 0.1)
    assert cost.cores(10, 100.0) == pytest.approx(0.1 + 0.2 + 0.1)
    assert cost.cores(round(cost.full_at(100.0)), 100.0) == pytest.approx(1.0)


def test_brokers_grow_with_the_peak_and_are_never_fewer_than_the_replicas() -> None:
    assert [brokers(need(cameras)) for cameras in (100, 1000, 10_000)] == [3, 6, 58]


def test_a_camera_costs_less_where_there_are_many_and_more_where_cores_do() -> None:
    assert euros_a_camera(10_000) < euros_a_camera(100)
    assert euros_a_camera(100, Prices(core_hour=0.06)) > euros_a_camera(100)
