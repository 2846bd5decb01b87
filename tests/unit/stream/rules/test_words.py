"""The one sentence that an operator reads first."""

import pytest

from contracts.messages import Alert, Condition, Event
from stream.rules.words import ended, sentence, span, told


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
        ("absence", {"score": 60}, "no person in yard for 1 min"),
        (
            "left_object",
            {"label": "bag", "zone": "", "score": 20.2, "trace": [("owner_gone_s", ">= 20", "20.2")]},
            "bag left behind, alone for 20 s (limit 20 s)",
        ),
        ("camera_down", {"trace": [("state", "up", "down: no picture")]}, "the camera is down: no picture"),
        (
            "camera_down",
            {"score": 95.0, "trace": [("agent_silent_s", "< 10", "95.0")]},
            "the agent has been silent for 1 min 35 s",
        ),
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


def alert(kind="zone_entry", trace=(), **values) -> Alert:
    return Alert(
        id="a", revision=1, state="new", site="s", camera="c", rule="r", rule_version=1, kind=kind, severity="low",
        started_at_ms=0, at_ms=0, trace=tuple(Condition(*one) for one in trace),
        **({"label": "person", "zone": "yard", "track_ids": (1,)} | values),
    )  # fmt: skip


def test_others_of_the_same_incident_are_counted():
    assert told(alert()) == "person entered yard"
    assert told(alert(track_ids=(1, 4, 9))) == "person entered yard, and 2 more"
    many = alert("crowd", [("count", ">= 3", "4")], score=4.0, track_ids=(1, 2, 3, 4))
    assert told(many) == "4 at once in yard (limit 3)"


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("zone_entry", {"track_ids": (1, 2)}, "person entered yard, and 1 more; over after 12 s"),
        ("loitering", {"trace": [("dwell_s", ">= 8", "8.1")]},
         "person stayed in yard for more than 8 s; over after 12 s"),
        ("line_crossing", {"trace": [("direction", "in", "in")], "ended_at_ms": 0}, "person crossed yard (in)"),
        ("wrong_way", {"trace": [("heading", "", "181")], "ended_at_ms": 400},
         "person in yard went the wrong way (heading 181 degrees)"),
        ("crowd", {"score": 7, "trace": [("count", ">= 5", "7")]}, "7 at once in yard (limit 5); over after 12 s"),
        ("running", {"zone": "", "trace": [("speed_heights_s", ">= 1.5", "2.31")]},
         "person ran at 2.31 body heights/s (limit 1.5); over after 12 s"),
        ("absence", {"score": 60, "ended_at_ms": 95_000},
         "no person in yard for more than 1 min; over after 1 min 35 s"),
        ("left_object", {"label": "bag", "trace": [("owner_gone_s", ">= 20", "20.2")]},
         "bag left behind in yard, alone for more than 20 s; over after 12 s"),
        ("camera_down", {"trace": [("state", "up", "down: no picture")]},
         "the camera was down: no picture; back after 12 s"),
        ("camera_down", {"trace": [("agent_silent_s", "< 10", "12.0")]}, "the agent was silent; back after 12 s"),
        ("tamper", {"trace": [("picture", "clear", "black")], "ended_at_ms": 0}, "the picture was black; clear again"),
        ("anomaly", {"trace": [("entered", "0 to 3", "9")], "ended_at_ms": 7_500_000},
         "unusual in yard: entered 9, usually 0 to 3; as usual again after 2 h 5 min"),
        ("zone_entry", {"end_reason": "yard is disarmed"}, "person entered yard; ended after 12 s: yard is disarmed"),
        ("line_crossing", {"trace": [("direction", "in", "in")], "ended_at_ms": 0, "end_reason": "rule changed"},
         "person crossed yard (in); ended: rule changed"),
    ],
)  # fmt: skip
def test_an_end_says_what_was_and_for_how_long(kind, values, expected):
    assert ended(alert(kind, **({"ended_at_ms": 12_000, "end_reason": "over"} | values))) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.5, "0.5 s"), (3, "3 s"), (9.96, "10 s"), (12.4, "12 s"), (59.7, "1 min"), (95, "1 min 35 s"),
        (3600, "1 h"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_times_as_people_say_them(seconds, expected):
    assert span(seconds) == expected
