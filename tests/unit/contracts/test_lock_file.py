"""A file that one process at a time can hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.lock_file import HeldError, hold

HOLDER = "import sys; from pathlib import Path; from contracts.lock_file import hold; held = hold(Path(sys.argv[1]))"


def test_a_second_one_hears_who_has_it_until_that_one_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "not-made-yet" / "lock"
    with hold(path), pytest.raises(HeldError, match="held by process") as fault:
        hold(path)
    assert fault.value.owner == str(os.getpid())
    hold(path).close()


def test_a_killed_one_has_let_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"{HOLDER}; print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(HeldError) as fault:
            hold(path)
        assert fault.value.owner == str(other.pid)
        other.kill()
    hold(path).close()
