"""The config as a file: YAML that people write loads, and whatever is no such text is a ConfigError that says where."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.config import Config
from contracts.config_file import load, parse
from contracts.errors import ConfigError
from tests.unit.contracts.faults import EXAMPLE, SMALL, fault

BAD_TEXTS = [
    ("", "line 1"),
    ("- a\n- b", "line 1"),
    ("cameras", "line 1"),
    (SMALL + "site: {name: a", "line 2, column 15"),
    (SMALL + "\tsite: {}", "line 2, column 1"),
    (SMALL + "site: {}\nsite: {}", "line 3, column 1"),
    (SMALL + "detect: {fps: 5,\n fps: 6}", "line 3, column 2"),
    (SMALL + "site: *nowhere", "line 2, column 7"),
    (SMALL + "? [a, b]\n: 1", "line 2, column 3"),
    (SMALL + "site: !!python/object:os.system x", "line 2, column 7"),
    (SMALL + "kafka: {port: !!int x}", "line 2, column 15"),
    (SMALL + "kafka: {port: !!bool x}", "line 2, column 15"),
    (SMALL + "kafka: {port: !!timestamp x}", "line 2, column 15"),
    (SMALL + "site: {name: 2020-13-01}", "line 2, column 14"),
    (SMALL + f"kafka: {{port: {'9' * 5000}}}", "line 2, column 15"),
    (SMALL + "site:\n  name: a\0b", "line 3"),
    ("[" * 600, "line 1"),
    ("cameras: &all {gate: *all}", "cameras.gate.gate"),  # a mapping in itself
    ("cameras: {gate: {inputs: &all [*all]}}", "cameras.gate.inputs[0]"),
    (SMALL + "site: {name: 12}", "site.name"),
    (SMALL + "site: {name: !!binary aGk=}", "site.name"),
    (SMALL + "5: x", "5"),
    (SMALL + "rules: {no: {kind: tamper}}", "rules.False"),  # YAML's `no`
    (SMALL + f"detect: {{fps: {'9' * 400}}}", "detect.fps"),
    ("cameras:\n  gate:\n    inputs:\n", "cameras.gate.inputs"),  # nothing under it
]


@pytest.mark.parametrize(("text", "path"), BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_bad_yaml_is_named_with_its_line(text: str, path: str) -> None:
    assert fault(text).path == path


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "where",
    ["rules: ", "rules: {a: {kind: ", "site: {name: ", "analytics: "],
)
def test_aliases_that_multiply_are_refused_at_once(where: str) -> None:
    levels = ["x0: &x0 [y, y, y, y, y, y, y, y, y, y]"]
    levels += [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]" for i in range(1, 30)]
    closing = "}" * where.count("{")
    fault("\n".join([*levels, SMALL, f"{where}*x29{closing}"]))
    fault("\n".join([SMALL, "rules:", *(f"  {level}" for level in levels)]))
    fault("\n".join([SMALL, f"{where}", *(f"  {level}" for level in levels)]) if not closing else "[")


@pytest.mark.timeout(20)
def test_merges_that_multiply_are_refused_at_once() -> None:
    levels = ["x0: &x0 {fps: 1}"]
    levels += [f"x{i}: &x{i} {{<<: [*x{i - 1}, *x{i - 1}]}}" for i in range(1, 60)]
    assert "keys in one mapping" in fault("\n".join([SMALL, *levels])).reason


@pytest.mark.timeout(20)
def test_a_list_without_end_is_refused_at_once() -> None:
    values = "[" + ", ".join(["[0.5, 0.5]"] * 5000) + "]"
    text = f"cameras: {{gate: {{inputs: [{{url: x}}], zones: {{a: {{coordinates: {values}}}}}}}}}"
    assert fault(text).path == "cameras.gate.zones.a.coordinates"


def test_merge_keys_work_and_a_key_may_override_what_is_merged() -> None:
    text = """
cameras:
  gate: &gate
    inputs: [{url: a}]
    detect: &detect {fps: 5, height: 360}
  yard:
    <<: *gate
    detect: {<<: *detect, fps: 7}
  hall:
    <<: *gate
    detect: {<<: *detect, fps: 8}
"""
    config = parse(text)
    assert [(c.detect.fps, c.detect.height) for c in config.cameras.values()] == [(5, 360), (7, 360), (8, 360)]


def test_a_mapping_that_is_merged_before_it_is_read_is_no_duplicate() -> None:
    # `deep` is deeper than `hall`, so yaml flattens it first for `hall`, then meets its merged keys again.
    text = """
cameras:
  gate:
    inputs: [{url: a}]
    zones:
      deep: &deep
        <<: &base {inertia_s: 1, coordinates: [[0, 0], [1, 0], [1, 1]]}
        inertia_s: 2
  hall:
    inputs: [{url: b}]
    zones: {deep: {<<: *deep, inertia_s: 3}}
"""
    config = parse(text)
    assert [config.cameras[name].zones["deep"].inertia_s for name in ("gate", "hall")] == [2, 3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1e1", 10.0), ("10", 10.0), ("1_0", 10.0), (".5", 0.5), ("5.", 5.0), ("0x10", 16.0)],
)
def test_numbers_as_people_write_them(text: str, expected: float) -> None:
    assert parse(SMALL + f"detect: {{fps: {text}}}").detect.fps == expected


@pytest.mark.parametrize("clock", ["22:00", "'22:00'", "06:30", "24:00"])
def test_times_need_no_quotes(clock: str) -> None:
    config = parse(SMALL + f"site: {{arming: {{schedule: [{{until: {clock}}}]}}}}")
    assert config.site.arming.schedule[0].until == clock.strip("'")


def test_a_file_that_is_not_there_or_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "vedette.yaml"
    with pytest.raises(ConfigError, match="No such file") as caught:
        load(path)
    assert caught.value.path == str(path)
    path.write_bytes(SMALL.encode() + b"# \xfc\n")
    with pytest.raises(ConfigError, match="UTF-8") as caught:
        load(path)
    assert caught.value.path == "line 2"
    path.write_bytes(SMALL.encode("utf-16"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load(path)
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())  # Windows' mark of UTF-8 is fine
    assert load(path) == parse(SMALL)
    with pytest.raises(ConfigError):
        load(tmp_path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_text_loads_or_is_a_config_error(data: st.DataObject) -> None:
    text = EXAMPLE.read_text()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.sampled_from([0, 1, 5, 100]))
        text = text[:at] + data.draw(st.text(max_size=3)) + text[at + length :]
    try:
        config = parse(text)
    except ConfigError as error:
        assert error.path  # noqa: PT017  both ends are right, this is what the wrong one must have
    else:
        assert isinstance(config, Config)
