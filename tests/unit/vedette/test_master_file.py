"""The master key of a local system: made once where needed, for this user alone; the environment's comes first."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from vault import VaultError, master_key
from vault.master import FILE_VARIABLE, VARIABLE
from vedette.master_file import NAME, key_for

GIVEN = {VARIABLE: base64.b64encode(bytes(32)).decode()}


def test_it_is_made_once_and_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    first = key_for(tmp_path / "state", {}, said.append, needed=True)
    text = (tmp_path / "state" / NAME).read_text()
    second = key_for(tmp_path / "state", {}, said.append, needed=True)
    assert first == second == {FILE_VARIABLE: str(tmp_path / "state" / NAME)}
    assert master_key(first) is not None
    assert (tmp_path / "state" / NAME).read_text() == text
    assert stat.S_IMODE((tmp_path / "state" / NAME).stat().st_mode) == 0o600
    assert len(said) == 1
    assert text.strip() not in said[0]


@pytest.mark.parametrize(("environ", "needed"), [({}, False), (GIVEN, True)])
def test_none_is_made_without_need(tmp_path: Path, environ: dict[str, str], needed: bool) -> None:
    assert key_for(tmp_path, environ, print, needed=needed) == {}
    assert not (tmp_path / NAME).exists()


def test_a_key_that_was_needed_once_is_given_on(tmp_path: Path) -> None:
    made = key_for(tmp_path, {}, lambda _: None, needed=True)
    assert key_for(tmp_path, {}, print, needed=False) == made


def test_a_file_that_holds_no_key_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("hello")
    with pytest.raises(VaultError, match=r"master\.key"):
        key_for(tmp_path, {}, print, needed=True)
    assert (tmp_path / NAME).read_text() == "hello"
