"""What the programs of the jobs end with."""

from pathlib import Path

import pytest

from contracts.errors import ConfigError, ModelError
from stream.jobs.exits import EXIT_CONFIG, EXIT_FAILED, EXIT_LOOP, exit_code

CONFIG = Path("site.yaml")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("stream.model", "no such file"), EXIT_CONFIG, "site.yaml: stream.model: no such file"),
        (ModelError("detector@2: wrong hash"), EXIT_FAILED, "detector@2: wrong hash"),
    ],
)
def test_an_error_on_purpose_is_said_and_has_its_code(error, code, said, caplog):
    def work():
        raise error

    assert exit_code(CONFIG, work) == code
    assert [record.message for record in caplog.records] == [said]


def test_what_is_returned_is_the_code():
    assert exit_code(CONFIG, lambda: EXIT_LOOP) == EXIT_LOOP


def test_any_other_error_is_a_fault_of_ours():
    def work():
        raise KeyError("camera")

    with pytest.raises(KeyError):
        exit_code(CONFIG, work)
