"""The one sentence that an operator reads first."""

import pytest

from contracts.messages import Condition, Event
from stream.rules.words import sentence


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("zone_entry", {}, "person entered yard"),
        ("loitering", {"score": 12.4, "trace": [("dwell_s", ">= 10", "12.4")]}, "person in yard for 12 s (limit 10 s)"),
        ("line_crossing", {"zone": "gate", "trace": [("direction", "both", "in")]}, "person crossed gate (in)"),
        (
            "wrong_way",
            {"trace": [("heading", "not within 60 of 0", "181")]},
            "person in yard goes the wrong way (heading 181 degrees)",
        ),
        ("crowd", {"score": 7, "trace": [("count", ">= 5", "7")]}, "7 at once in yard (limit 5)"),
        (
            "running",
            {"zone": "", "trace": [("speed_heights_s", ">= 1.5", "2.31")]},
            "person running at 2.31 body heights/s (limit 1.5)",
        ),
        ("running", {"trace": [("speed_metres_s", ">= 3", "4.02")]}, "person running in yard at 4.02 m/s (limit 3)"),
        ("absence", {"score": 60}, "no person in yard for 60 s"),
        (
            "left_object",
            {"label": "bag", "zone": "", "score": 20.2, "trace": [("owner_gone_s", ">= 20", "20.2")]},
            "bag left behind, alone for 20 s (limit 20 s)",
        ),
        ("camera_down", {"trace": [("state", "up", "down: no picture")]}, "the camera is down: no picture"),
        ("camera_down", {"trace": [("agent_silent_s", "< 10", "12.0")]}, "the agent has been silent for 12.0 s"),
        ("tamper", {"trace": [("picture", "clear", "black and frozen")]}, "the picture is black and frozen"),
        ("anomaly", {"trace": [("entered", "0 to 3", "9")]}, "unusual in yard: entered 9, usually 0 to 3"),
        ("anomaly", {"score": 4.25}, "unusual in yard, score 4.2"),
    ],
)
def test_sentences(kind, values, expected):
    trace = tuple(Condition(*condition) for condition in values.pop("trace", []))
    event = Event(
        id="e", site="s", camera="c", lane="live", rule="r", rule_version=1, at_ms=1, kind=kind, trace=trace,
        **({"label": "person", "zone": "yard"} | values),
    )  # fmt: skip
    assert sentence(event) == expected
