"""The pages' pure parts: forms from types, history in words, the part of a picture, texts, addresses."""

import re
from typing import get_args

import msgspec
import pytest

from console.overlay import body_of
from console.pages import texts
from console.pages.detail import attributes_of, history_of
from console.pages.forms import KINDS, defaults, fields_in_order, forms, written_out
from console.pages.live import part
from console.pages.login import inside
from console.pages.panel import STATIC
from console.pages.pictures import around
from console.pages.times import lasting, stamp
from console.store.audit import AuditAction
from console.store.rows import AnswerRow, RevisionRow
from contracts.attributes import TrackAttribute
from contracts.config import AlertBudget, Period, Route
from contracts.messages import Condition
from tests.golden.samples import SAMPLES

PAGES = STATIC.parent


def test_every_field_of_every_kind_is_in_its_form_with_a_text():
    described, empty = forms(), defaults()
    assert set(described) == {"zone", "line", *KINDS}
    for kind, fields in described.items():
        names = {field["name"] for field in fields}
        assert names == set(empty[kind]) - {"kind", "coordinates"}
        assert {f"field_{name}" for name in names} <= set(texts.SETUP)
        if kind in KINDS:
            assert {f"rule_{kind}", f"about_{kind}"} <= set(texts.SETUP)


@pytest.mark.parametrize(("kind", "page"), [(Route, texts.ROUTING), (AlertBudget, texts.BUDGETING)])
def test_every_field_of_a_setting_has_a_text_and_its_choices_a_source(kind, page):
    for field in fields_in_order(kind):
        assert f"field_{field['name']}" in page
        for option in field.get("options", ()):
            assert {f"value_{option}", f"severity_{option}"} & set(page | texts.COMMON), option


def test_every_action_of_the_audit_has_words():
    assert {one for part in get_args(AuditAction) for one in get_args(part) or (part,)} == set(texts.AUDIT_ACTIONS)


def test_a_part_of_the_config_is_written_out_whole():
    route = Route(channels=("office",), quiet_hours=(Period(from_="22:00"),))
    told = written_out(route)
    assert set(told) == {one.encode_name for one in msgspec.structs.fields(Route)}
    week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert told["quiet_hours"] == [{"days": week, "from": "22:00", "until": "24:00"}]
    assert msgspec.convert(told, Route) == route


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_rule_can_be_kept(kind):

    given = {name: value for name, value in defaults()[kind].items() if value is not None}
    assert msgspec.structs.asdict(body_of("rule", msgspec.json.encode(given)))["enabled"] is True


def test_every_text_that_a_component_asks_for_is_there():
    alert = texts.ALERTS | texts.IDENTITY | texts.MISSING
    pages = {
        "queue.js": alert, "live.js": texts.LIVE | texts.MISSING, "setup.js": texts.SETUP, "shell.js": texts.SHELL,
        "accounts.js": texts.ACCOUNTS, "agents.js": texts.AGENTS, "static/detail.js": alert, "static/asking.js": alert,
        "static/missing.js": texts.MISSING,
        "static/row.js": texts.ALERTS, "people.js": texts.PEOPLE,
        "static/drawing.js": texts.SETUP, "static/versions.js": texts.SETUP,
        "static/forms.js": texts.ROUTING | texts.SETUP, "settings.js": texts.ROUTING,
    }  # fmt: skip
    for name, page in pages.items():
        script = (PAGES / name).read_text()
        asked = set(re.findall(r"\bt\.([a-z_]+)", script))
        assert asked <= set(page | texts.COMMON), name
        for prefix in re.findall(r"\bt\[[`'\"]([a-z_]+)_['\"] \+", script):
            assert any(key.startswith(prefix + "_") for key in page | texts.COMMON), (name, prefix)


def test_no_component_has_texts_of_its_own():
    for script in [*PAGES.glob("*.js"), *STATIC.glob("*.js")]:
        for template in re.findall(r"template: `(.*?)`", script.read_text(), re.DOTALL):
            bare = re.sub(r'"[^"]*"|\{\{.*?\}\}', " ", template, flags=re.DOTALL)
            shown = re.sub(r"<[^>]*>", " ", bare)
            words = set(re.findall(r"[A-Za-z]{3,}", shown)) - {"Esc", "Ctrl"}
            assert not words, (script.name, words)


def test_nothing_is_fetched_from_elsewhere():
    for file in [*PAGES.rglob("*.js"), *PAGES.rglob("*.css"), *PAGES.rglob("*.py")]:
        found = re.findall(r"https?://[^\s\"'`)]+", file.read_text())
        assert set(found) <= {"http://www.w3.org/2000/svg", "https://..."}, file


def test_history_is_in_the_order_of_time():
    revisions = [RevisionRow(0, "new", 1000, "person entered"), RevisionRow(1, "end", 9000, "over after 8 s")]
    answers = [
        AnswerRow(id="1", alert="a", operator="maria", at_ms=3000, action="comment", text="the cat"),
        AnswerRow(id="2", alert="a", operator="", at_ms=2000, action="escalate"),
        AnswerRow(id="3", alert="a", operator="otto", at_ms=4000, action="verdict", verdict="false"),
    ]
    told = [(one["who"], one["text"], one["words"]) for one in history_of("zone_entry", revisions, answers, "UTC")]
    assert told == [
        ("", "Alert: person entered", ""),
        ("", "Not acknowledged in time: escalated", ""),
        ("maria", "commented", "the cat"),
        ("otto", "answered: false alarm", ""),
        ("", "Ended: over after 8 s", ""),
    ]


def test_the_history_of_a_question_is_what_was_asked_and_answered():
    revisions = [RevisionRow(k, state, 1000 + k, "is this a person?") for k, state in enumerate(("new", "end"))]
    answers = [AnswerRow(id="1", alert="a", operator="otto", at_ms=4000, action="verdict", verdict="false")]
    told = [one["text"] for one in history_of("question", revisions, answers, "UTC")]
    assert told == ["Asked: is this a person?", "answered: no"]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        # a quarter of the picture at least, around the box's middle
        ((0.5, 0.5, 0.52, 0.54), (230.4, 189.6, 422.4, 309.6)),
        # the whole picture in the wanted shape
        ((0.0, 0.0, 1.0, 1.0), (0.0, 40.0, 640.0, 440.0)),
        # at the edge it is moved inside
        ((0.98, 0.0, 1.0, 0.1), (448.0, 0.0, 640.0, 120.0)),
    ],
)
def test_the_part_of_a_picture(share, expected):
    found = around(share, (640, 480), 1.6)
    left, top, right, bottom = found
    assert (right - left) / (bottom - top) == pytest.approx(1.6)
    assert 0 <= left < right <= 640
    assert 0 <= top < bottom <= 480
    assert found == pytest.approx(expected)


def test_a_part_of_the_stream_says_its_lengths():
    made = part({"a": 1}, b"jpeg")
    text, jpeg = int.from_bytes(made[:4], "big"), int.from_bytes(made[4:8], "big")
    assert (made[8 : 8 + text], made[8 + text :], jpeg) == (b'{"a": 1}', b"jpeg", 4)


@pytest.mark.parametrize(
    ("asked", "led"),
    [("/live?camera=a", "/live?camera=a"), ("https://evil", "/"), ("//evil", "/"), ("/\\evil", "/"), ("", "/")],
)
def test_next_stays_inside(asked, led):
    assert inside(asked) == led


@pytest.mark.parametrize(
    ("ms", "text"),
    [(8_400, "8 s"), (185_000, "3:05 min"), (7_800_000, "2 h 10 min"), (273_600_000, "3 d 4 h"), (-5, "0 s")],
)
def test_durations(ms, text):
    assert lasting(ms) == text


def test_times_are_in_the_sites_zone():
    assert stamp(1_767_571_200_000, "Europe/Berlin") == "5 Jan, 01:00:00"
    assert stamp(0, "UTC") == "\N{EN DASH}"


def test_what_classifiers_say_stands_beside_what_the_rule_asked_for():
    said = [("hard_hat", "no", 0.93, 4), ("vest", "", 0.55, 1)]
    attributes = tuple(TrackAttribute(name=n, value=v, confidence=c, looks=k) for n, v, c, k in said)
    asked = Condition("hard_hat", "no", "no (0.93 of 4 looks)")
    alert = msgspec.structs.replace(SAMPLES["alert_attributes"], trace=(asked,), attributes=attributes)
    assert attributes_of(alert) == [
        {"name": "vest", "wanted": "–", "got": "not sure yet (55%, looks: 1)", "met": True},
    ]
