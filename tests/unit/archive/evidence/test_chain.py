"""The chain: whatever is changed, added or taken away behind it shows, and says where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archive.evidence import paths
from archive.evidence.chain import Chain, entry_path, head_path
from archive.evidence.chain_check import check_day
from archive.evidence.files import Folder
from tests.evidence_tools import AT_MS, KEY, alert, key

DAY = "home/2026-01-05"
PLACES = {name: paths.place_of(alert(id=name)) for name in ("a", "b", "c")}


def world(root: Path) -> tuple[Folder, Chain]:
    """Three alerts in five entries; the second one is deleted."""
    files = Folder(root)
    chain = Chain(files, KEY, lambda: AT_MS)
    for name, place in PLACES.items():
        chain.keep(place, {paths.FRAME: name.encode(), paths.ALERT: b"{}"}, "revision 1")
    chain.keep(PLACES["a"], {paths.CLIP: b"film", paths.ALERT: b"{}"}, "clip")
    chain.bury(PLACES["b"], "false alarm: kept for 7 days")
    for file in (paths.FRAME, paths.ALERT):
        files.delete(PLACES["b"].file(file))
    return files, chain


def faults(files: Folder) -> list[str]:
    return [f"{one.path.removeprefix(DAY + '/')}: {one.what}" for one in check_day(files, DAY, KEY.public).faults]


def test_what_is_as_it_was_written_is_well(tmp_path: Path) -> None:
    files, _ = world(tmp_path)
    checked = check_day(files, DAY, KEY.public)
    assert (checked.kept, checked.deleted, checked.faults) == (2, 1, ())


def test_the_same_again_is_no_new_entry(tmp_path: Path) -> None:
    files, chain = world(tmp_path)
    before = files.paths("")
    chain.keep(PLACES["a"], {paths.CLIP: b"film"}, "clip")
    chain.bury(PLACES["b"], "again")
    assert files.paths("") == before


def test_another_process_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    files, _ = world(tmp_path)
    second = Chain(files, KEY, lambda: AT_MS + 1)
    second.keep(PLACES["c"], {paths.CLIP: b"film"}, "clip")
    assert files.size(entry_path(DAY, 6)) is not None
    assert faults(files) == []


def test_two_writers_make_one_chain(tmp_path: Path) -> None:
    files, first = world(tmp_path)
    second = Chain(files, KEY, lambda: AT_MS + 1)
    for n in range(4):
        for chain in (first, second):
            chain.keep(PLACES["c"], {paths.CLIP: f"{n} {id(chain)}".encode()}, "clip")
    assert files.size(entry_path(DAY, 13)) is not None
    assert faults(files) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.write(f"{DAY}/gate/a/{paths.CLIP}", b"filn"), ["gate/a/clip.mp4: was changed"]),
        (lambda f: f.delete(f"{DAY}/gate/a/{paths.CLIP}"), ["gate/a/clip.mp4: was removed"]),
        (lambda f: f.write(f"{DAY}/gate/a/x.jpg", b"x"), ["gate/a/x.jpg: was added"]),
        (lambda f: f.write(f"{DAY}/gate/d/x.jpg", b"x"), ["gate/d: is in no entry of the chain"]),
        (
            lambda f: f.write(f"{DAY}/gate/b/{paths.FRAME}", b"b"),
            ["gate/b/frame.jpg: is there, and the chain says it was deleted"],
        ),
        (
            lambda f: f.write(f"{DAY}/gate/a/{paths.MANIFEST}", b"{}"),
            ["gate/a/manifest.json: is not entry 4 of the chain"],
        ),
        (
            lambda f: f.delete(entry_path(DAY, 3)),
            ["_chain/00000003.json: was removed", "gate/c: is in no entry of the chain"],
        ),
        (lambda f: f.delete(entry_path(DAY, 5)), None),
        (lambda f: f.clear(f"{DAY}/gate/c"), None),
        (lambda f: f.delete(head_path(DAY)), ["_chain/head.json: is missing"]),
    ],
)
def test_what_was_done_behind_it_shows(
    tmp_path: Path, change: Callable[[Folder], None], said: list[str] | None
) -> None:
    files, _ = world(tmp_path)
    change(files)
    found = faults(files)
    assert found == said if said is not None else found


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_changed_entry_shows(tmp_path: Path, number: int) -> None:
    files, _ = world(tmp_path)
    path = entry_path(DAY, number)
    data = files.read(path)
    assert data is not None
    files.write(path, data.replace(str(AT_MS).encode(), str(AT_MS + 1).encode()))
    at = min(number + 1, 5)
    assert any(one.startswith(f"_chain/{at:08d}.json: ") for one in faults(files))


def test_nobody_else_writes_another_chain(tmp_path: Path) -> None:
    files, _ = world(tmp_path)
    forged = Folder(tmp_path / "forged")
    chain = Chain(forged, key(), lambda: AT_MS)
    chain.keep(PLACES["a"], {paths.FRAME: b"nobody was there"}, "revision 1")
    assert faults(files) == []
    assert [one.what for one in check_day(forged, DAY, KEY.public).faults] == ["is not signed by this site's key"]
