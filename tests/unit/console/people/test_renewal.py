"""Another embedder in the config: enrolled pictures are looked at anew, once, and what can't be is said."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from archive.people import Candidate
from console.parts import Parts
from console.people.enrolling import NewPerson
from console.people.errors import PeopleOffError
from console.people.sealing import FaceSecret, opened_face, whole
from console.people.sources import Upload
from contracts.errors import ModelError
from contracts.face_models import BUNDLED
from contracts.manifest import files_of, load_manifest
from contracts.people import PersonSecret, SetPerson
from tests.people_tools import ANNA, Clock, a_master, look, people_parts, portrait, told
from vault import MasterKey, opened

OTHER = "face-embedder@other"


@pytest.fixture
def master() -> MasterKey:
    return a_master()


@pytest.fixture
def site(tmp_path: Path, master: MasterKey) -> Iterator[tuple[Parts, str]]:
    """Somebody enrolled from a picture, then the same database with another embedder in the config."""
    before = people_parts(tmp_path, Clock(), master)
    before.people.step(Clock.now_ms)
    detail = before.people.enrolling.enrol(ANNA, NewPerson(name="Bea", source=Upload(picture=portrait())))
    before.people.register.add_picture(
        ANNA, detail.person.id, dataclasses.replace(look(7), crop=b""), source="unknown/1"
    )
    before.store.close()
    after = people_parts(tmp_path, Clock(), master, more=f"\nfaces: {{embedder: {another_embedder(tmp_path)}}}\n")
    yield after, detail.person.id
    after.store.close()


def another_embedder(folder: Path) -> Path:
    """The bundled one under another version, for which the same vectors are other ones."""
    manifest = load_manifest(BUNDLED / "face-embedder.json")
    for file in files_of(manifest):
        shutil.copy(BUNDLED / file, folder / file)
    (folder / "other.json").write_bytes(msgspec.json.encode(replace(manifest, version="other")))
    return folder / "other.json"


def test_who_is_enrolled_is_known_to_the_new_model_and_the_jobs_are_told(
    site: tuple[Parts, str], master: MasterKey
) -> None:
    parts, person_id = site
    register = parts.people.register
    assert [one.usable for one in register.detail(ANNA, person_id).pictures] == [False, False]
    assert parts.people.renewal.renew() == {"renewed": 1, "lost": 1}
    assert [one.usable for one in register.detail(ANNA, person_id).pictures] == [True, False]
    change = [one.change for one in told(parts, "gallery") if isinstance(one.change, SetPerson)][-1]
    key = master.unwrap(change.wrapped, f"person/{person_id}")
    secret = msgspec.msgpack.decode(opened(key, change.sealed, f"person/{person_id}".encode()), type=PersonSecret)
    assert (secret.model, len(secret.vectors)) == (OTHER, 1)
    with parts.store.database.read() as connection:
        row = parts.store.people.faces(connection, person_id)[0]
    kept = opened_face(key, row)
    assert kept.vector == secret.vectors[0]
    seen = parts.people.sources.examine(ANNA, Upload(picture=portrait()), Clock.now_ms).candidate
    assert seen is not None
    assert float(whole(kept.vector) @ seen.vector) > 0.8, "the cut-out picture shows the same face as the whole one"
    (entry,) = [one for one in parts.store.audit.page() if one.action == "renew pictures"]
    assert (entry.who, entry.subject) == ("", f"person/{person_id}")
    assert msgspec.json.decode(entry.details) == {"renewed": 1, "lost": 1}


def test_once_it_is_done_it_is_not_done_again(site: tuple[Parts, str]) -> None:
    parts, person_id = site
    parts.people.renewal.renew()
    version = parts.people.register.detail(ANNA, person_id)
    assert parts.people.renewal.renew() == {"renewed": 0, "lost": 1}
    assert parts.people.register.detail(ANNA, person_id) == version
    assert parts.people.standing().renewing == 0


def test_who_is_removed_meanwhile_stays_removed(site: tuple[Parts, str], monkeypatch: pytest.MonkeyPatch) -> None:
    parts, person_id = site
    seen = parts.people.renewal._seen

    def removing(secret: FaceSecret) -> Candidate | None:
        if parts.people.register.people(ANNA):
            parts.people.register.remove(ANNA, person_id)
        return seen(secret)

    monkeypatch.setattr(parts.people.renewal, "_seen", removing)
    assert parts.people.renewal.renew() == {}
    assert parts.people.register.people(ANNA) == []


def test_a_stop_leaves_the_rest_for_the_next_start(site: tuple[Parts, str]) -> None:
    parts, _ = site
    parts.people.renewal.stop()
    assert parts.people.renewal.renew() == {}
    assert parts.people.standing().renewing == 2


@pytest.mark.parametrize("fault", [PeopleOffError("no key"), ModelError("broken")], ids=["no key", "a bad model"])
def test_a_thread_that_cannot_ends_and_says_why(
    site: tuple[Parts, str], fault: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts, _ = site

    def failing(_: object) -> None:
        raise fault

    caplog.set_level("INFO")
    monkeypatch.setattr(parts.people.renewal, "_seen", failing)
    parts.people.renewal.start()
    parts.people.renewal._thread.join(20)
    assert not parts.people.renewal._thread.is_alive()
    assert f"left as they are: {fault}" in caplog.text
    assert parts.people.standing().renewing == 0, "nobody waits for what has ended"
