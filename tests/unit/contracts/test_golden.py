"""The golden files: what was once on the wire still decodes to what it meant. See tests/golden."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.codec import decode, encode
from contracts.controls import EdgeControl
from contracts.errors import ContractError
from contracts.messages import Message
from tests.golden import write
from tests.golden.samples import SAMPLES

NEVER_SENT = ("edge_control_masks.v1.msgpack", "edge_control_masks.v1.values.json")
"""A camera's masks came with a control of their own before they came with the camera; nothing ever sent one."""

every_sample = pytest.mark.parametrize("name", SAMPLES)


def holds(golden: Any, today: Any) -> bool:
    """Whether today's value has everything that the golden one has; fields may have come since."""
    if isinstance(golden, dict):
        return isinstance(today, dict) and all(key in today and holds(golden[key], today[key]) for key in golden)
    if isinstance(golden, list):
        return (
            isinstance(today, list)
            and len(golden) == len(today)
            and all(holds(a, b) for a, b in zip(golden, today, strict=True))
        )
    return bool(golden == today)


@every_sample
def test_todays_code_reads_the_bytes_as_they_were_meant(name: str) -> None:
    message = SAMPLES[name]
    read = decode(write.path_of(name, message).read_bytes(), type(message))
    assert read == message
    meant = json.loads(write.values_path_of(name, message).read_text())
    assert holds(meant, write.values(read))


@every_sample
def test_what_todays_code_writes_is_read_the_same(name: str) -> None:
    message = SAMPLES[name]
    again = decode(encode(message), type(message))
    assert again == decode(write.path_of(name, message).read_bytes(), type(message))


def test_every_type_has_a_golden_file_and_every_file_a_sample() -> None:
    assert {type(message) for message in SAMPLES.values()} == set(Message.__subclasses__())
    files = {path for path in write.FOLDER.iterdir() if ".v1." in path.name}
    known = {path(name, m) for name, m in SAMPLES.items() for path in (write.path_of, write.values_path_of)}
    assert files == known | {write.FOLDER / name for name in NEVER_SENT}


def test_what_was_never_sent_is_refused_like_anything_unknown() -> None:
    with pytest.raises(ContractError, match="masks"):
        decode((write.FOLDER / NEVER_SENT[0]).read_bytes(), EdgeControl)


def test_nothing_is_written_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert write.main() == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("golden", "today", "same"),
    [
        ({"a": 1}, {"a": 1, "new": 2}, True),  # a field came
        ({"a": 1, "b": 2}, {"a": 1}, False),  # a field went
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, False),
        ([1], [1, 2], False),
    ],
)
def test_holds(golden: Any, today: Any, same: bool) -> None:
    assert holds(golden, today) == same
