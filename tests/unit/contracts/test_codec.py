"""Messages to bytes and back: what comes back is what was sent, and nothing but ContractError for what isn't one."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import contracts.controls  # noqa: F401  so that Control is among the types
from contracts.codec import VERSION, decode, encode, json_schema
from contracts.errors import ContractError
from contracts.messages import Alert, Event, Feedback, FrameTracks, Message
from tests.golden.samples import SAMPLES
from tests.unit.contracts.strategies import values_of

TYPES = sorted(Message.__subclasses__(), key=lambda kind: kind.__name__)
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
every_type = pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
every_sample = pytest.mark.parametrize("name", SAMPLES)


def in_json(message: Message) -> bool:
    return isinstance(message, Event | Alert | Feedback)


def plain(message: Message) -> dict[str, Any]:
    """The message as it lies on the wire, unpacked."""
    return msgspec.json.decode(encode(message)) if in_json(message) else msgspec.msgpack.decode(encode(message))


def packed(raw: dict[str, Any], message: Message) -> bytes:
    return msgspec.json.encode(raw) if in_json(message) else msgspec.msgpack.encode(raw)


@every_type
@QUICK
@given(data=st.data())
def test_what_is_sent_comes_back(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(values_of(kind))
    assert decode(encode(message), kind) == message


@every_type
@QUICK
@given(data=st.binary(max_size=300))
def test_random_bytes_are_refused(kind: type[Message], data: bytes) -> None:
    with pytest.raises(ContractError):
        decode(data, kind)


@every_sample
def test_truncated_anywhere_it_is_refused(name: str) -> None:
    message = SAMPLES[name]
    data = encode(message)
    for length in range(len(data)):
        with pytest.raises(ContractError):
            decode(data[:length], type(message))
    with pytest.raises(ContractError):
        decode(data + b"\0", type(message))


@every_sample
@QUICK
@given(data=st.data())
def test_damaged_it_is_refused_or_a_message_and_nothing_else(name: str, data: st.DataObject) -> None:
    message = SAMPLES[name]
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        got = decode(bytes(damaged), type(message))
    except ContractError:
        return
    assert decode(encode(got), type(message)) == got, "what decodes can be sent on"


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\xc0"


@every_type
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"\xc0",
        b"[]",
        b"{}",
        b"\x80",
        b"\xff\xfe",
        b'{"data": ' + b"[" * 100_000,  # JSON nested too deeply
        nested(100_000),  # msgpack nested too deeply
        b"\xdf\xff\xff\xff\xff",  # a mapping that says it has 4 billion entries
        b"\xc6\xff\xff\xff\xff",  # bytes that say they are 4 GiB
        b"\x81\xa1v\xcf\xff\xff\xff\xff\xff\xff\xff\xff",  # v = 2^64 - 1
        b"\x81\xa1v\xca\x7f\xc0\x00\x00",  # v = NaN
        b"\xd6\xff\xff\xff\xff\xff",  # a timestamp
        b"A" * 1_000_000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_nonsense_is_refused(kind: type[Message], data: bytes) -> None:
    with pytest.raises(ContractError):
        decode(data, kind)


@every_sample
def test_unknown_fields_are_ignored(name: str) -> None:
    message = SAMPLES[name]
    raw = plain(message)
    inner = raw["data"] if in_json(message) else raw
    inner["colour_of_the_sky"] = {"blue": [1, 2]}
    raw["baggage"] = "user=1"
    assert decode(packed(raw, message), type(message)) == message


@every_sample
@pytest.mark.parametrize("version", [0, -1, VERSION + 1, 999, "1", None, 1.5])
def test_another_version_is_refused(name: str, version: object) -> None:
    message = SAMPLES[name]
    raw = plain(message)
    (raw["data"] if in_json(message) else raw)["v"] = version
    with pytest.raises(ContractError, match=r"version|`v`|\.v`"):
        decode(packed(raw, message), type(message))


@pytest.mark.parametrize(
    ("reader", "writer", "taken"), [(1, 1, True), (2, 2, True), (2, 1, True), (3, 1, False), (1, 2, False)]
)
def test_the_version_before_is_read(monkeypatch: pytest.MonkeyPatch, reader: int, writer: int, taken: bool) -> None:
    monkeypatch.setattr("contracts.codec.VERSION", reader)
    message = msgspec.structs.replace(SAMPLES["frame"], v=writer)
    if taken:
        assert decode(encode(message), type(message)) == message
    else:
        with pytest.raises(ContractError, match="version"):
            decode(encode(message), type(message))


@every_sample
def test_without_a_required_field_it_is_refused_by_its_name(name: str) -> None:
    message = SAMPLES[name]
    raw = plain(message)
    (raw["data"] if in_json(message) else raw).pop("site" if hasattr(message, "site") else "topic")
    with pytest.raises(ContractError, match=r"`(site|topic)`"):
        decode(packed(raw, message), type(message))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("xyxy", (float("nan"), 0.0, 1.0, 1.0)),
        ("xyxy", (float("inf"), 0.0, 1.0, 1.0)),
        ("confidence", 1.5),
        ("confidence", float("nan")),
        ("track_id", -1),
        ("first_seen_at_ms", 2**60),  # no date
    ],
)
def test_numbers_that_nobody_can_calculate_with_are_refused(field: str, value: object) -> None:
    message = SAMPLES["frame_tracks"]
    raw = plain(message)
    raw["tracks"][0][field] = value
    with pytest.raises(ContractError, match=field):
        decode(packed(raw, message), FrameTracks)


@pytest.mark.parametrize("field", ["area", "trail"])
@pytest.mark.parametrize("kind", [Event, Alert])
def test_no_infinite_points(kind: type[Message], field: str) -> None:
    raw = plain(SAMPLES[kind.__name__.lower()])
    raw["data"][field] = [[0.5, 1e300]]
    with pytest.raises(ContractError, match=field):
        decode(json.dumps(raw).encode(), kind)


@pytest.mark.parametrize("kind", [Event, Alert, Feedback])
@QUICK
@given(data=st.data())
def test_the_schema_holds_for_what_is_sent(kind: type[Any], data: st.DataObject) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(kind))
    validator.validate(json.loads(encode(data.draw(values_of(kind)))))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("specversion",), "0.3"),
        (("id",), 5),
        (("data", "revision"), "1"),
        (("data", "state"), "gone"),
        (("data", "evidence", "width"), 0),
        (("data", "at_ms"), -1),
    ],
)
def test_the_schema_refuses_what_decoding_refuses(path: tuple[str, ...], value: object) -> None:
    raw = plain(SAMPLES["alert"])
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema(Alert)).validate(raw)
    with pytest.raises(ContractError):
        decode(json.dumps(raw).encode(), Alert)


def test_the_schema_itself_is_valid() -> None:
    for kind in (Event, Alert, Feedback):
        jsonschema.Draft202012Validator.check_schema(json_schema(kind))


def test_the_envelope_is_cloudevents() -> None:
    raw = plain(SAMPLES["alert"])
    assert {key: raw[key] for key in raw if key != "data"} == {
        "specversion": "1.0",
        "id": "alert-1/3",
        "source": "/vedette/home",
        "type": "org.vedette.alert.end",
        "subject": "gate",
        "time": "2026-01-05T00:00:00.123000Z",
        "datacontenttype": "application/json",
    }
    assert plain(SAMPLES["event"])["type"] == "org.vedette.event.zone_entry"


@every_sample
@every_type
def test_one_type_is_not_taken_for_another(name: str, kind: type[Message]) -> None:
    message = SAMPLES[name]
    if kind is not type(message):
        with pytest.raises(ContractError):
            decode(encode(message), kind)
