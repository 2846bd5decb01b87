"""What is said of models in the terminal: each thing once, and nothing old."""

import pytest

from bus.consuming import Record
from contracts.codec import encode
from stream.jobs.model_news import ModelNews
from tests.rollout_tools import ended, promoted, report

SINCE_MS = 1_000


def record(message):
    return Record(topic="t", partition=0, offset=0, key=b"", value=message, timestamp_ms=0)


@pytest.mark.parametrize(
    ("control", "lines"),
    [
        (ended("new@2", SINCE_MS), ["model new@2 is taken back: no better"]),
        (ended("new@2", SINCE_MS - 1), []),  # before this start
        (promoted("bright_boxes@2", SINCE_MS), []),
    ],
)
def test_controls(control, lines, caplog):
    news = ModelNews(SINCE_MS)
    for _ in range(2):
        news.control(record(encode(control)))
    news.control(record(b"junk"))
    news.control(record(None))
    assert [one.message for one in caplog.records] == lines


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        (report(SINCE_MS, state="refused", reason="new@2: no file"), ["new@2: no file; old@1 is in service"]),
        (report(SINCE_MS, state="failing", reason="new@2 failed"), ["new@2 failed; old@1 is in service"]),
        (report(SINCE_MS - 1, state="failing", reason="new@2 failed"), []),
        (report(SINCE_MS), []),
    ],
)
def test_reports(said, lines, caplog):
    news = ModelNews(SINCE_MS)
    for _ in range(2):
        news.report(record(encode(said)))
    news.report(record(b"junk"))
    assert [one.message for one in caplog.records] == lines
