"""The scaling page: what the code computes, by hand where a hand can."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from contracts.config import Kafka
from contracts.config.services import TASKS_MAX
from contracts.errors import ConfigError
from vedette import prices as price_list
from vedette.prices import Prices
from vedette.scaling import (
    COSTS,
    DECIDE_S,
    MEASURED,
    Bulk,
    Cost,
    Inference,
    advice,
    brokers,
    cameras_of_decide,
    cores_measured_so,
    euros_a_camera,
    euros_with_gpus,
    limits,
    line_through,
    sites,
    tasks_of_decide,
)
from vedette.scaling_page import MEASURE_IT, main, page
from vedette.sizing import need

ROOT = Path(__file__).parents[3]
PRICES = price_list.read()
GPU = Inference("a GPU of the test", {1: 200.0, 8: 1000.0}, 0.005)


def test_the_page_is_what_the_code_computes() -> None:
    assert (ROOT / "docs" / "scaling.md").read_text() == page(PRICES)


def test_a_line_goes_through_its_points() -> None:
    line = line_through((1, 0.5), (16, 3.5))
    assert (line.at(1), line.at(16), line.a_camera) == pytest.approx((0.5, 3.5, 0.2))


def test_cores_of_a_part() -> None:
    cost = Cost(0.5, 0.1, 0.01, alone=True)
    assert cost.cores(10, 2.0) == pytest.approx(0.5 + 10 * (0.1 + 0.02))
    assert cost.cores(round(cost.full_at(2.0)), 2.0) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("cameras", "cores"), MEASURED.items())
def test_what_was_measured_is_met_within_a_fifth(cameras: int, cores: float) -> None:
    assert cores_measured_so(cameras) == pytest.approx(cores, rel=0.2)


def test_a_frame_of_many_costs_less_than_one_alone() -> None:
    cost = Cost(0.1, 0.0, 0.001, alone=True, bulk=Bulk(0.2, 0.0001))
    assert cost.cores(1, 100.0) == pytest.approx(0.1 + 0.1)
    assert cost.cores(10, 100.0) == pytest.approx(0.1 + 0.2 + 0.1)
    assert cost.cores(round(cost.full_at(100.0)), 100.0) == pytest.approx(1.0)


def test_what_wakes_up_for_each_frame_sleeps_so_long_that_it_comes_to_what_was_measured() -> None:
    bulk = Bulk(0.2, 0.0001)
    wake_s, gather_s = bulk.wake_s(0.001), bulk.gather_s(0.001)
    assert wake_s == pytest.approx(0.0009)
    assert wake_s / (wake_s + gather_s) == pytest.approx(0.2)


def test_brokers_grow_with_the_peak_and_are_never_fewer_than_the_replicas() -> None:
    assert [brokers(need(cameras)) for cameras in (100, 1000, 10_000)] == [3, 6, 58]


def test_a_camera_costs_less_where_there_are_many_and_more_where_cores_do() -> None:
    assert euros_a_camera(10_000, PRICES) < euros_a_camera(100, PRICES)
    assert euros_a_camera(100, replace(PRICES, core_hour=0.06)) > euros_a_camera(100, PRICES)


def test_gpus_by_hand() -> None:
    assert GPU.gpus(10_000) == 15  # 10,000 / (1,000 x 0.7)
    assert GPU.cores(10_000) == 72  # 10,000 x 5 ms / 0.7
    free = replace(PRICES, gpu_hour=0.0)
    assert euros_with_gpus(1000, free, GPU) < euros_a_camera(1000, free)
    assert euros_with_gpus(1000, PRICES, GPU) - euros_with_gpus(1000, free, GPU) == pytest.approx(15 * 730 * 0.6 / 1000)


def test_what_nobody_measured_stands_as_the_command_that_does() -> None:
    assert page(PRICES, None).count(MEASURE_IT) == 3
    assert MEASURE_IT not in page(PRICES, GPU)
    assert "| 1,000 | 15 | 67 | 72 |" in page(PRICES, GPU)


def test_the_nearest_limit_is_a_single_process_and_beyond_it_a_site_is_split() -> None:
    nearest, *others = limits()
    assert COSTS["history"].cores(round(nearest.mean)) == pytest.approx(1.0, abs=0.01)
    assert all(limit.mean > nearest.mean for limit in others)
    assert (sites(round(nearest.mean) - 1), sites(12_000), sites(100_000)) == (1, 2, 10)


def test_no_job_has_more_tasks_than_its_state_has_key_groups() -> None:
    assert tasks_of_decide(1) == 1
    assert tasks_of_decide(1000) == pytest.approx(10_000 * DECIDE_S / 0.7, abs=1)
    assert tasks_of_decide(100_000) == TASKS_MAX


@pytest.mark.parametrize("tasks", [1, 2, 50])
def test_so_many_tasks_of_decide_take_as_many_cameras_and_no_more(tasks: int) -> None:
    assert tasks_of_decide(cameras_of_decide(tasks)) == tasks
    assert tasks_of_decide(cameras_of_decide(tasks) + 1) == tasks + 1


def test_no_topic_gets_more_partitions_than_the_config_takes() -> None:
    assert need(10_000).partitions == TASKS_MAX
    Kafka(partitions=TASKS_MAX)


@pytest.mark.parametrize(
    ("cameras", "kafka", "said"),
    [
        (2, Kafka(), []),
        (50, Kafka(partitions=13, frames_gib=8), []),
        (50, Kafka(partitions=12, frames_gib=8), ["kafka.partitions: 12"]),
        (50, Kafka(partitions=13, frames_gib=4), ["kafka.frames_gib: with 4"]),
        (11_000, Kafka(partitions=TASKS_MAX, frames_gib=2000), ["11,000 cameras are more than one site takes"]),
    ],
)
def test_a_config_that_is_not_enough_for_its_cameras_is_told(cameras: int, kafka: Kafka, said: list[str]) -> None:
    lines = advice(cameras, kafka)
    assert [line[: len(begin)] for line, begin in zip(lines, said, strict=True)] == said


def test_prices_are_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "prices.yaml"
    mine.write_text(price_list.ASSUMED.read_text().replace("0.03", "0.05"))
    assert price_list.read(mine) == Prices(core_hour=0.05, gpu_hour=0.6, disk_gb_month=0.08, bucket_gb_month=0.02)
    assert main(["--prices", str(mine)]) == 0
    assert "a core 0.05 an hour" in capsys.readouterr().out
    mine.write_text("core_hour: -1\n")
    with pytest.raises(ConfigError, match="core_hour"):
        price_list.read(mine)
    assert main(["--prices", str(mine)]) == 2


def test_more_cameras_than_a_site_takes_are_said_to_be_several(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cameras", "12000"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("12,000 cameras are split in 2 sites; each:")
    assert "| 6,000 | 960 |" in said


def test_the_dashboard_has_the_same_prices() -> None:
    boards = (ROOT / "deploy" / "grafana" / "boards.yaml").read_text()
    assert f"* 730 * {PRICES.core_hour:g}" in boards
    assert f"/ 1e9 * {PRICES.disk_gb_month:g}" in boards
