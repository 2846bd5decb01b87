"""What a config says: what makes sense loads, and whatever does not is a ConfigError that says where."""

from __future__ import annotations

import functools
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
import yaml

from contracts.config import Config, ZoneEntry, detect_of
from contracts.config_check import missing_secrets
from contracts.config_file import load, parse
from contracts.polygons import polygon_is_simple
from contracts.slots import slots
from tests.unit.contracts.faults import EXAMPLE, SMALL, fault


@functools.cache
def good() -> bytes:
    """The example file as JSON."""
    return msgspec.json.encode(parse(EXAMPLE.read_text()))


def changed(keys: tuple[str | int, ...], value: object) -> str:
    """The example with another value in one place, as YAML."""
    raw = json.loads(good())
    inner = raw
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return json.dumps(raw).replace("NaN", ".nan").replace("Infinity", ".inf")  # JSON is YAML but for these


def test_the_example_loads() -> None:
    config = load(EXAMPLE)
    assert set(config.cameras) == {"gate", "hall"}
    assert "{GATE_PASSWORD}" in config.cameras["gate"].inputs[0].url
    rule = config.rules["yard-at-night"]
    assert isinstance(rule, ZoneEntry)
    assert (rule.schedule[0].from_, rule.schedule[0].until) == ("22:00", "06:00")
    assert (detect_of(config, "gate").fps, detect_of(config, "hall").fps) == (10, 5)
    assert {slot % config.kafka.partitions for slot in slots(config).values()} == {0, 1}


def _site(names: Iterable[str], partitions: int, **given: int) -> Config:
    """Cameras in this order; `given` are slots that the file gives."""
    cameras = {name: {"inputs": [{"url": "x.mp4"}], "slot": given.get(name)} for name in names}
    return parse(json.dumps({"kafka": {"partitions": partitions}, "cameras": cameras}))


NAMES = [f"camera-{number}" for number in range(100)]


@pytest.mark.parametrize("partitions", [1, 7, 25, 60, 100])
def test_partitions_share_cameras_whatever_the_order_in_the_file(partitions: int) -> None:
    found = slots(_site(NAMES, partitions))
    assert found == slots(_site(reversed(NAMES), partitions))
    assert len(set(found.values())) == len(NAMES)
    assert max(Counter(slot % partitions for slot in found.values()).values()) == math.ceil(len(NAMES) / partitions)


@pytest.mark.parametrize(
    ("names", "most"),
    [
        (NAMES, 10),  # one comes
        (NAMES[2:], 10),  # one goes
        ([*NAMES, "one-more"], 33),  # and one more than fills all partitions: each may have one more
    ],
)
def test_a_camera_that_comes_or_goes_moves_few_others(names: list[str], most: int) -> None:
    before, after = slots(_site(NAMES[1:], 25)), slots(_site(names, 25))
    assert sum(before[name] % 25 != after[name] % 25 for name in before.keys() & after) <= most


@pytest.mark.parametrize("names", [NAMES, NAMES[2:], [*NAMES, "one-more", "and-more"]], ids=["comes", "goes", "fills"])
def test_who_holds_a_slot_keeps_it_and_newcomers_get_what_is_emptiest(names: list[str]) -> None:
    before = slots(_site(NAMES[1:], 25))
    after = slots(_site(names, 25), before)
    assert {name: after[name] for name in before.keys() & after.keys()} == {
        name: before[name] for name in before.keys() & after.keys()
    }
    assert max(Counter(slot % 25 for slot in after.values()).values()) == math.ceil(len(names) / 25)


def test_what_the_file_gives_counts_before_what_is_held() -> None:
    assert slots(_site(("a", "b"), 2, a=4), {"a": 1, "b": 3, "gone": 5}) == {"a": 4, "b": 3}


def test_a_given_slot_stays_and_counts_for_its_partition() -> None:
    found = slots(_site(("a", "b", "c", "d"), 2, a=4, b=6))
    assert (found["a"], found["b"]) == (4, 6)
    assert {found["c"] % 2, found["d"] % 2} == {1}


def test_the_smallest_config_loads() -> None:
    assert set(parse(SMALL).cameras) == {"gate"}


def test_what_loads_is_the_same_when_written_and_read_again() -> None:
    config = load(EXAMPLE)
    assert parse(yaml.safe_dump(msgspec.to_builtins(config))) == config


YARD = "cameras.gate.zones.yard"


def _nested(place: str, value: object) -> dict[str, object]:
    """`value` at a.b as mappings."""
    first, _, rest = place.partition(".")
    return {first: _nested(rest, value) if rest else value}


MISTAKES = [
    # what is changed in the example, to what, the path that the error names, words of its reason
    (f"{YARD}.coordinates.3", [0.05, 95], f"{YARD}.coordinates[3]", "0-1"),
    (f"{YARD}.coordinates", [[0, 0], [1, 1], [1, 0], [0, 1]], f"{YARD}.coordinates", "crosses itself"),
    (f"{YARD}.coordinates", [[0, 0], [1, 0], [0.5, 0], [0.5, 1]], f"{YARD}.coordinates", "crosses itself"),
    (f"{YARD}.coordinates", [[0, 0], [1, 0]], f"{YARD}.coordinates", "three points"),
    (f"{YARD}.coordinates", [[0, 0], [0.5, 0.5], [1, 1]], f"{YARD}.coordinates", "no area"),
    (f"{YARD}.coordinates.0", [0.1], f"{YARD}.coordinates[0]", "expected 2 values, got 1"),
    (f"{YARD}.coordinates", "0,0,1,0,1,1", f"{YARD}.coordinates", "expected a list"),
    (f"{YARD}.objects", ["persn"], f"{YARD}.objects[0]", "`persn` is none of"),
    ("cameras.gate.lines.fence.coordinates.1", [0.1, 0.45], "cameras.gate.lines.fence.coordinates", "the same"),
    ("cameras.gate.fps", 5, "cameras.gate.fps", "unknown key"),
    (
        "cameras.gate.detect",
        {"fps": "ten"},
        "cameras.gate.detect.fps",
        "expected a number above 0 to 120, got the text `ten`",
    ),
    ("cameras.gate.detect", {"fps": 0}, "cameras.gate.detect.fps", "a number above 0 "),
    ("cameras.gate.inputs", [], "cameras.gate.inputs", "`detect`"),
    ("cameras.gate.inputs.0.roles", ["detect", "detail"], "cameras.gate.inputs[1].roles", "only one"),
    ("cameras.gate.inputs.0.roles", ["record"], "cameras.gate.inputs[0].roles[0]", "record"),
    ("cameras.gate.inputs.0.url", "rtsp://viewer:secret@host/1", "cameras.gate.inputs[0].url", "password"),
    ("cameras.gate.inputs.0.url", "ftp://host/1", "cameras.gate.inputs[0].url", "none of rtsp"),
    ("cameras.gate.inputs.0.url", "rtsp:///stream", "cameras.gate.inputs[0].url", "no host"),
    ("cameras.gate.inputs.0.url", "", "cameras.gate.inputs[0].url", "empty"),
    ("cameras.Front Gate", {"inputs": [{"url": "x"}]}, "cameras.Front Gate", "a name of a-z, 0-9, - and _"),
    ("cameras", {}, "cameras", "at least one"),
    (
        "cameras.gate.objects.filters.person",
        {"min_area": 0.5, "max_area": 0.1},
        "cameras.gate.objects.filters.person.min_area",
        "greater",
    ),
    ("cameras.gate.learning", {"ask_from": 0.001}, "cameras.gate.learning.ask_from", "below 0.01"),
    ("cameras.gate.learning", {"ask_from": 0.9}, "cameras.gate.learning.ask_from", "counts from"),
    ("cameras.gate.learning", {"questions_per_hour": 0}, "cameras.gate.learning.questions_per_hour", "1"),
    ("rules.question", {"kind": "camera_down"}, "rules.question", "questions"),
    ("rules.yard-at-night.zone", "garden", "rules.yard-at-night.zone", "camera `gate` has no zone `garden`"),
    ("rules.yard-at-night.cameras", ["gat"], "rules.yard-at-night.cameras[0]", "no camera `gat`"),
    ("rules.yard-at-night.kind", "intrusion", "rules.yard-at-night.kind", "zone_entry"),
    ("rules.yard-at-night.severity", "urgent", "rules.yard-at-night.severity", "urgent"),
    (
        "rules.yard-at-night.schedule.0.from",
        "25:00",
        "rules.yard-at-night.schedule[0].from",
        "expected a time like 22:00, got the text `25:00`",
    ),
    ("rules.yard-at-night.schedule.0.until", "22:00", "rules.yard-at-night.schedule[0].until", "same"),
    ("rules.yard-at-night.labels", ["cat"], "rules.yard-at-night.labels[0]", "followed by none"),
    ("rules.over-the-fence.line", "wall", "rules.over-the-fence.line", "no line `wall`"),
    ("rules.over-the-fence.zone", "yard", "rules.over-the-fence.zone", "unknown key"),
    ("rules.crowd-in-the-hall.count", 0, "rules.crowd-in-the-hall.count", "a whole number from 1 to 10,000, got `0`"),
    ("rules.runs", {"kind": "running", "unit": "metres"}, "rules.runs.unit", "metres_per_pixel"),
    ("site.time_zone", "Berlin", "site.time_zone", "no time zone"),
    ("site.time_zone", "../../etc/passwd", "site.time_zone", "no time zone"),
    ("site.name", "home\n", "site.name", "expected a name of a-z"),
    ("site.arming.disarmed_zones", ["attic"], "site.arming.disarmed_zones[0]", "no camera has a zone"),
    ("kafka", {"bootstrap_servers": ["broker"]}, "kafka.bootstrap_servers[0]", "host:port"),
    ("edge", {"metrics_port": 19092}, "edge.metrics_port", "19092 is kafka.port already"),
    ("edge", {"agents": ["north", "north"]}, "edge.agents[1]", "stands there already"),
    ("edge", {"agents": ["north_gate"]}, "edge.agents[0]", "have no _"),
    ("edge", {"agents": ["n" * 60]}, "edge.agents[0]", "more than 64"),
    ("edge", {"agents": ["north"], "local_agents": ["north"]}, "edge.local_agents[0]", "an agent already"),
    ("edge", {"local_agents": ["a", "a"]}, "edge.local_agents[1]", "an agent already"),
    ("edge", {"agents": ["north"], "local_agents": ["agent-0"]}, "cameras.gate.agent", "several agents"),
    ("console", {"agents": {"bootstrap_servers": ["a"]}}, "console.agents.bootstrap_servers[0]", "host:port"),
    ("console", {"agents": {"signer": "/s"}}, "console.agents.bootstrap_servers", "told of a broker"),
    (
        *("console", {"agents": {"signer": "/s", "bootstrap_servers": ["a:1"]}}),
        *("console.agents.broker_ca", "whom to trust"),
    ),
    ("edge", {"metrics_host": "all of them"}, "edge.metrics_host", "0.0.0.0 for all"),
    ("stream", {"metrics_host": ""}, "stream.metrics_host", "no host"),
    ("console", {"port": 19101}, "console.port", "19101 is edge.metrics_port already"),
    ("console", {"tls_certificate": "a.pem"}, "console.tls_key", "needs both"),
    ("console", {"host": " "}, "console.host", "is empty"),
    ("console", {"address": "console.example"}, "console.address", "http"),
    ("evidence", {"folder": "/x", "s3": {"bucket": "cameras"}}, "evidence.s3", "one place"),
    ("evidence", {"s3": {"bucket": "cameras", "endpoint": "garage:3900"}}, "evidence.s3.endpoint", "http"),
    ("evidence", {"s3": {"bucket": "cameras", "prefix": "../x"}}, "evidence.s3.prefix", "NAME/NAME"),
    ("evidence", {"s3": {"bucket": "cameras", "prefix": "a/"}}, "evidence.s3.prefix", "NAME/NAME"),
    ("models", {"folder": "/x", "s3": {"bucket": "models"}}, "models.s3", "one place"),
    ("models", {"trusted_keys": ["ed25519:abc"]}, "models.trusted_keys[0]", "no public key"),
    ("history", {"metrics_port": 19102}, "history.metrics_port", "19102 is stream.metrics_port already"),
    ("evidence", {"pre_s": 10, "clip_max_s": 10}, "evidence.clip_max_s", "before an alert"),
    ("console", {"database": "mysql://db/vedette"}, "console.database", "postgresql"),
    ("console", {"database": "postgresql+psycopg://vedette:secret@db/v"}, "console.database", "environment variable"),
    ("console", {"escalate_after_s": {"critical": -1}}, "console.escalate_after_s.critical", "a number from 0 "),
    ("cameras.gate.faces", {"identify": True}, "cameras.gate.faces.purpose", "say for what"),
    ("cameras.gate.faces", {"identify": True, "purpose": " "}, "cameras.gate.faces.purpose", "say for what"),
    ("faces", {"wanted_rate": 0}, "faces.wanted_rate", "a number above 0 to 0.5"),
    ("faces", {"retention": {"unknown": {"seen_days": 31}}}, "faces.retention.unknown.seen_days", "keep_days"),
    ("faces", {"unknowns": {"max_people": 0}}, "faces.unknowns.max_people", "a whole number from 1 "),
    ("rules.who", {"kind": "known_person"}, "rules.who.cameras", "camera `gate` identifies nobody"),
    ("rules.who", {"kind": "unknown_person", "cameras": ["hall"]}, "rules.who.cameras", "`hall` identifies nobody"),
    ("rules.who", {"kind": "returning_unknown", "times": 1}, "rules.who.times", "a whole number from 2 "),
    ("version", 2, "version", "2"),
    *(("console", _nested(place, value), f"console.{path}", words) for place, value, path, words in (
        ("notifications.channels", {"x": {"kind": "pager"}}, "notifications.channels.x.kind", "expected one of"),
        ("notifications.channels", {"x": {"kind": "apprise", "url": "slack"}}, "notifications.channels.x.url", "SERV"),
        ("notifications.channels", {"x": {"kind": "apprise", "url": "mailto://a:secret@b"}},
         "notifications.channels.x.url", "holds a password"),
        ("notifications.channels", {"x": {"kind": "webhook", "url": "http://h", "secret": "plain"}},
         "notifications.channels.x.secret", "must be {NAME}"),
        ("notifications.channels", {"x": {"kind": "webhook", "url": "http://h", "secret": ""}},
         "notifications.channels.x.secret", "is empty"),
        ("notifications.channels", {"x": {"kind": "alertmanager", "url": "am:9093"}},
         "notifications.channels.x.url", "http(s)"),
        ("notifications.routes", [{"channels": ["x"]}], "notifications.routes[0].channels[0]", "no channel `x`"),
        ("notifications.routes", [{"channels": []}], "notifications.routes[0].channels", "is empty"),
        ("budget", {"cameras": {"attic": 2}}, "budget.cameras[0]", "no camera `attic`"),
        ("budget", {"alerts_per_hour": 0}, "budget.alerts_per_hour", "above 0"),
        ("oidc", {"issuer": "http://id.example", "client_id": "v"}, "oidc.issuer", "must be https"),
        ("oidc", {"issuer": "https://id.example"}, "oidc.client_id", "is empty"),
        ("oidc", {"issuer": "https://id.example", "client_id": "v"}, "oidc.roles", "nobody"),
        ("oidc", {"issuer": "https://id.example", "client_id": "v", "client_secret": "x",
                  "roles": [{"group": "g", "role": "viewer"}]}, "oidc.client_secret", "must be {NAME}"),
        ("oidc", {"issuer": "https://id.example", "client_id": "v",
                  "roles": [{"group": "g", "role": "king"}]}, "oidc.roles[0].role", "expected one of"),
        ("oidc", {"issuer": "https://id.example", "client_id": "v",
                  "roles": [{"group": "g", "role": "viewer", "cameras": ["attic"]}]},
         "oidc.roles[0].cameras[0]", "no camera"),
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value", "path", "words"), MISTAKES, ids=[f"{m[2]}-{i}" for i, m in enumerate(MISTAKES)]
)
def test_a_typical_mistake_is_named_with_its_path(place: str, value: object, path: str, words: str) -> None:
    keys = tuple(int(key) if key.isdigit() else key for key in place.split("."))
    found = fault(changed(keys, value))
    assert found.path == path
    assert words in found.reason


# --- 200 configs that can't be meant, made from the good one by one change each


def nodes(value: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value in the config with its keys."""
    yield keys, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from nodes(item, (*keys, key))


def wrongs(keys: tuple[str | int, ...], value: Any) -> Iterator[object]:
    """Values that can't stand in the place of this one, whatever it means."""
    match value:
        case bool():
            yield from ("maybe", 2, [True])
        case int() | float():
            yield from (float("nan"), float("inf"), -1e300, 1e300, "many", {"a": 1}, [value], True)
        case str():
            yield from ({"a": 1}, [value, value], 12.5, True)
        case list():
            yield from ({"0": 1}, "some", 5, [[[]]], [None])
        case dict():
            yield from ([value], "text", 7, {"no_such_key!": 1})


def all_wrong_configs() -> list[tuple[tuple[str | int, ...], object]]:
    found: list[tuple[tuple[str | int, ...], object]] = []
    for keys, value in nodes(json.loads(good())):
        if not keys:
            continue
        found += [(keys, wrong) for wrong in wrongs(keys, value)]
        if isinstance(value, dict):
            found.append(((*keys, "Unknown Key"), 1))
    return found


WRONG = random.Random(3).sample(all_wrong_configs(), 200)


@pytest.mark.parametrize(("keys", "value"), WRONG, ids=[".".join(map(str, keys)) for keys, _ in WRONG])
def test_200_configs_that_cannot_be_meant(keys: tuple[str | int, ...], value: object) -> None:
    found = fault(changed(keys, value))
    # The path names the place that was changed, or something that it holds or belongs to.
    assert str(keys[0]) in found.path or str(keys[0]) in found.reason or "rules" in found.path, str(found)


@pytest.mark.parametrize(
    ("points", "simple"),
    [
        ([(0, 0), (1, 0), (1, 1)], True),
        ([(0, 0), (1, 0), (1, 1), (0, 1)], True),
        ([(0, 0), (1, 0), (0.2, 0.2), (0, 1)], True),  # concave
        ([(0, 0), (0.5, 0), (1, 0), (1, 1)], True),  # a point in the middle of an edge
        ([(0, 0), (1, 1), (1, 0), (0, 1)], False),  # crosses itself
        ([(0, 0), (1, 0), (1, 1), (0, 0)], False),  # closed by hand: the first point twice
        ([(0, 0), (1, 0), (0.5, 0), (0.5, 1)], False),  # goes back on itself
        ([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], False),  # touches its own edge
        ([(0, 0), (0.5, 0.5), (1, 1)], False),  # a line
        ([(0, 0), (1, 0)], False),
    ],
)
def test_polygon_is_simple(points: list[tuple[float, float]], simple: bool) -> None:
    assert polygon_is_simple(points) == simple


def test_secrets_that_are_not_set_are_named_with_their_path() -> None:
    inputs = [{"url": "rtsp://{USER}:{PASSWORD}@10.0.0.1/1"}, {"url": "a.mp4", "roles": ["detail"]}]
    inputs[0]["roles"] = ["detect"]
    cameras = {"gate": {"inputs": inputs}, "off": {"inputs": [{"url": "rtsp://a:{OTHER}@b/1"}], "enabled": False}}
    config = parse(yaml.safe_dump({"cameras": cameras}))
    assert missing_secrets(config, {"USER": "", "PASSWORD": "x"}) == []
    (fault,) = missing_secrets(config, {"USER": "a"})
    assert str(fault) == "cameras.gate.inputs[0].url: the secret PASSWORD is not set in the environment"


def test_the_secret_of_the_database_counts_where_the_console_is_on() -> None:
    database = "postgresql+psycopg://vedette:{DB_PASSWORD}@db/vedette"
    config = parse(
        yaml.safe_dump({"cameras": {"gate": {"inputs": [{"url": "gate.mp4"}]}}, "console": {"database": database}})
    )
    (fault,) = missing_secrets(config, {})
    assert str(fault) == "console.database: the secret DB_PASSWORD is not set in the environment"
    assert missing_secrets(config, {"DB_PASSWORD": "x"}) == []
    off = parse(
        yaml.safe_dump(
            {
                "cameras": {"gate": {"inputs": [{"url": "gate.mp4"}]}},
                "console": {"database": database, "enabled": False},
            }
        )
    )
    assert missing_secrets(off, {}) == []
