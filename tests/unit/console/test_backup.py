"""Restored as docs/backup.md says, the console has all that it had; with another master key no person opens."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.parts import Parts
from tests.console_tools import alert_of, take
from tests.people_tools import ANNA, Clock, a_master, look, people_parts
from tests.postgres import MISSING, binaries, postgres
from vault import MasterKey, VaultError

PAGE = Path(__file__).parents[3] / "docs" / "backup.md"
COPY_SQLITE = """python -c "import sqlite3, sys; a, b = map(sqlite3.connect, sys.argv[1:]); a.backup(b)" """
DUMP = ("pg_dump", "--format=custom", "--file=console.dump")
RESTORE = ("pg_restore", "--clean", "--if-exists", "--no-owner")


@pytest.fixture
def master() -> MasterKey:
    return a_master()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def lived(request: pytest.FixtureRequest, tmp_path: Path, master: MasterKey) -> Iterator[Parts]:
    """A console that had alerts and enrolled somebody."""
    if request.param == "sqlite":
        yield from _lived(tmp_path, master, "")
        return
    if binaries() is None:
        pytest.skip(MISSING)
    with postgres(durable=False) as url:
        yield from _lived(tmp_path, master, url)


def _lived(folder: Path, master: MasterKey, database: str) -> Iterator[Parts]:
    clock = Clock()
    parts = people_parts(folder / "lived", clock, master, database=database)
    with closing(parts.store) as store:
        parts.people.step(clock.now_ms)
        take(store, *(alert_of(number) for number in range(3)))
        parts.people.register.enrol(ANNA, "Bea", "banned", look(1), source="upload")
        yield parts


def _restored(lived: Parts, folder: Path, master: MasterKey) -> Parts:
    """Saved and brought back elsewhere: the commands of the page."""
    url = lived.store.database.url
    if url.drivername.startswith("sqlite"):
        target = folder / "restored" / "console" / "console.db"
        target.parent.mkdir(parents=True)
        subprocess.run(f"{COPY_SQLITE} {url.database} {target}", shell=True, check=True)
        return people_parts(folder / "restored", Clock(), master)
    tools = binaries()
    assert tools is not None
    place = ("--host=127.0.0.1", f"--port={url.port}", "--username=vedette")
    dump = folder / "console.dump"
    subprocess.run([tools / DUMP[0], *DUMP[1:-1], f"--file={dump}", *place, "postgres"], check=True)
    subprocess.run([tools / "createdb", *place, "restored"], check=True)
    subprocess.run([tools / RESTORE[0], *RESTORE[1:], *place, "--dbname=restored", dump], check=True)
    url = url.set(database="restored")
    return people_parts(folder / "restored", Clock(), master, database=url.render_as_string(hide_password=False))


def test_all_is_there_again(lived: Parts, tmp_path: Path, master: MasterKey) -> None:
    restored = _restored(lived, tmp_path, master)
    with closing(restored.store) as store:
        assert [store.alerts.body(f"alert-{number}") for number in range(3)] == [alert_of(n) for n in range(3)]
        assert store.offsets.of("cluster") == {("alerts", 0): 3}
        (bea,) = restored.people.register.people(ANNA)
        (face,) = restored.people.register.detail(ANNA, bea.id).pictures
        assert restored.people.register.picture(ANNA, bea.id, face.id) == look(1).crop
        assert store.audit.broken() is None


def test_with_another_master_key_no_person_opens(lived: Parts, tmp_path: Path) -> None:
    restored = _restored(lived, tmp_path, a_master())
    with closing(restored.store):
        (bea,) = lived.people.register.people(ANNA)
        (face,) = lived.people.register.detail(ANNA, bea.id).pictures
        with pytest.raises(VaultError):
            restored.people.register.picture(ANNA, bea.id, face.id)


def test_the_page_says_these_commands() -> None:
    page = PAGE.read_text()
    for command in (COPY_SQLITE.strip(), " ".join(DUMP), " ".join(RESTORE)):
        assert command in page
