"""The sizing page: what the code computes from the topics' own numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import topics
from vedette.sizing import FRAME, FRAMES, GIB, LOADS, need, page

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_what_the_code_computes() -> None:
    assert (DOCS / "sizing.md").read_text() == page()


def test_every_topic_with_a_retention_stands_on_it() -> None:
    for spec in topics.specs("SITE", 2):
        assert f"`{spec.name}`" in page()


def test_loads_are_of_topics_that_exist() -> None:
    assert set(LOADS) <= {spec.name for spec in topics.specs("SITE", 2)}


def test_one_camera_by_hand() -> None:
    one = need(1)
    assert FRAME == (8 * 62_300 + 2 * 198_600) / 10
    assert one.peak_mbit == pytest.approx(10 * FRAME * 8 / 1e6)
    assert one.mean_mbit == pytest.approx(0.3 * one.peak_mbit)
    assert one.spool_bytes == FRAMES.bytes_per_hour == 3600 * 3 * FRAME
    assert one.frames_kept_min == 60
    assert (one.cores, one.partitions) == (1, 2)


def test_many_cameras_meet_the_bound_of_the_frames_topic() -> None:
    many = need(100)
    assert many.frames_kept_min == pytest.approx(60 * 4 * GIB / (100 * FRAMES.bytes_per_hour))
    assert many.frames_kept_min < 60
    assert many.frames_kept_min * many.frames_gib / 4 == pytest.approx(10)


def test_the_brokers_disk_is_all_topics_three_times() -> None:
    hours = {spec.name: int(spec.config.get("retention.ms", 0)) / topics.HOUR_MS for spec in topics.specs("site", 2)}
    rest = sum(load.bytes_per_hour * hours[name] for name, load in LOADS.items())
    assert need(1).kafka_bytes == pytest.approx(3 * (rest + 2 * FRAMES.bytes_per_hour * (1 + 5 / 60)))
