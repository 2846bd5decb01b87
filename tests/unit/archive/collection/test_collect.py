"""Collecting: what answers make of pictures, what may not be in them, and what a kill leaves."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pytest

from archive.collection.coco import coco
from archive.collection.collect import QUEUE, merged
from archive.collection.items import Item, Sample, digest, index_of, items_of
from archive.collection.queue import Wanted
from archive.collection.seeing import Picture, Sight
from archive.collection.store import COLUMNS, PARQUET, VERSIONS
from archive.evidence import paths
from archive.evidence.chain_check import check_day
from archive.evidence.files import Folder
from contracts.errors import VedetteError
from tests.builders import jpeg_of
from tests.collection_tools import Answering, Told, box, item
from tests.evidence_tools import AT_MS, KEY, evidence
from training.readers import Item as Read
from training.readers import read_coco

PERSON = (25.0, 25.0, 50.0, 75.0)
DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("verdict", "kind"), [("true", "confirmed"), ("nuisance", "confirmed"), ("false", "background")]
)
def test_an_answer_is_about_the_alerts_box_alone(tmp_path: Path, verdict: str, kind: str) -> None:
    site = Answering(tmp_path)
    site.alert("a", verdict)
    sees = Told(box(100), box(25.5))
    about, _ = site.collector(sees).collect(AT_MS)
    (got,) = site.collection.load(about.id).items
    said, *rest = got.boxes
    assert (said.xyxy, said.kind, said.by) == (PERSON, kind, "anna")
    assert [one.xyxy[0] for one in got.learnt if one.kind == "pseudo"] == [100], (
        "the answered place is not learnt twice"
    )
    assert len(rest) == 2, "what models see there stays, as a doubt"
    assert (got.camera, got.rule, got.model, got.answer, got.answered_by) == ("gate", "yard", "m@1", verdict, "anna")
    assert site.collection.picture(got.sha256) is not None


def test_what_was_missed_is_learnt_beside_what_was_answered(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", "false")
    site.missed("m1", "a", (400.0, 40.0, 520.0, 160.0))
    site.alert("other", None, grey=70)
    site.missed("m2", "other", (400.0, 40.0, 520.0, 160.0), evidence=evidence(7, AT_MS - 900))
    about, _ = site.collector(Told()).collect(AT_MS)
    (got,) = site.collection.load(about.id).items
    assert [(one.label, one.kind, one.xyxy) for one in got.boxes] == [
        ("person", "background", PERSON),
        ("dog", "confirmed", (100.0, 10.0, 130.0, 40.0)),
    ]
    assert got.reasons == ("answered: false", "answered: missed")
    assert about.left_out == {"a better frame than the one with what was missed": 1}


def test_a_live_picture_in_which_something_was_missed_is_kept_and_learnt(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    written = site.missed("m", "m", (20.0, 20.0, 60.0, 60.0))
    assert written is not None
    assert written.pictures
    site.missed("m", "m", (20.0, 20.0, 60.0, 60.0))  # from the topic once more
    about, _ = site.collector(Told()).collect(AT_MS)
    (got,) = site.collection.load(about.id).items
    assert (got.answer, got.answered_by, [one.label for one in got.learnt]) == ("missed", "anna", ["dog"])
    day = paths.place("home", AT_MS, "gate", "m").day_folder
    assert not check_day(site.evidence, day, KEY.public).faults


def test_what_may_not_be_in_the_next_version(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("kept", "true", grey=10)
    site.alert("open", None, grey=20)
    site.alert("gone", "false", grey=30)
    site.alert("shown", "true", grey=40, camera="door")
    site.alert("hidden", "true", grey=50, camera="door", redact=lambda picture, _: picture // 2)
    first, _ = site.collector(Told()).collect(AT_MS)
    assert (first.pictures, first.cameras) == (4, {"door": 2, "gate": 2})
    site.delete("gone")
    second, _ = site.collector(Told(), hidden=("door",)).collect(AT_MS)
    assert {one.alert for one in site.collection.load(second.id).items} == {"kept", "hidden"}
    assert second.left_out == {"from before its camera anonymised": 1}
    left = {one.sha256 for one in site.collection.load(first.id).items if site.collection.picture(one.sha256)}
    assert left == {one.sha256 for one in site.collection.load(second.id).items}, "nor is its picture anywhere"


def test_the_same_answers_are_the_same_version_and_are_looked_at_once(tmp_path: Path) -> None:
    site, sees = Answering(tmp_path), Told(box())
    site.alert("a", "true")
    first, _ = site.collector(sees).collect(AT_MS)
    again, _ = site.collector(sees).collect(AT_MS + DAY_MS)
    assert (again, sees.looks) == (first, 1)
    site.answer("a", at_ms=AT_MS + 9, verdict="false")
    changed, _ = site.collector(sees).collect(AT_MS + DAY_MS)
    assert (changed.number, sees.looks) == (2, 1)
    assert [about.id for about in site.collection.versions()] == [first.id, changed.id]


def test_samples_go_when_they_are_too_old_and_labels_count_more_than_models(tmp_path: Path) -> None:
    site, sees = Answering(tmp_path), Told(box())
    for grey, days in ((1, 0.0), (2, 31.0)):
        jpeg = jpeg_of(np.full((90, 160, 3), grey * 40, np.uint8))
        kept = item(site.collection.keep_picture(jpeg), AT_MS - int(days * DAY_MS), source="sample")
        site.collection.keep_sample(Sample(item=kept), jpeg)
    about, wanted = site.collector(sees).collect(AT_MS)
    (young,) = site.collection.load(about.id).items
    assert (about.left_out, [one.sha256 for one in wanted]) == ({"too old": 1}, [young.sha256])
    site.collection.keep_labels(young.sha256, [box(60, "confirmed", 1.0, by="bea")], "bea", AT_MS)
    about, wanted = site.collector(sees).collect(AT_MS)
    (labelled,) = site.collection.load(about.id).items
    assert (labelled.complete, [one.xyxy[0] for one in labelled.learnt], wanted) == (True, [60], ())
    assert msgspec.json.decode(site.collection.files.read(QUEUE) or b"", type=tuple[Wanted, ...]) == ()


def test_what_is_sampled_and_drawn_while_it_is_collected_is_in_the_next_version(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", "true")
    jpeg = jpeg_of(np.full((90, 160, 3), 200, np.uint8))
    late = item(digest(jpeg), AT_MS, source="import")

    class Meanwhile(Told):
        """Somebody imports a labelled picture while models look."""

        def __call__(self, picture: Picture) -> Sight:
            site.collection.keep_sample(Sample(item=late), jpeg)
            site.collection.keep_labels(late.sha256, [box(60, "confirmed", by="bea")], "bea", AT_MS)
            return super().__call__(picture)

    site.collector(Meanwhile()).collect(AT_MS)
    about, _ = site.collector(Told()).collect(AT_MS)
    assert late.sha256 in {one.sha256 for one in site.collection.load(about.id).items if one.complete}


class Killed(Exception):
    """Stands for kill -9."""


def test_a_kill_at_any_write_leaves_the_last_whole_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Answering(tmp_path)
    site.alert("a", "true", grey=10)
    first, _ = site.collector(Told()).collect(AT_MS)
    site.alert("b", "false", grey=20)
    write, delete, kills = Folder.write, Folder.delete, 0
    for after in range(1, 20):
        left = after

        def dying(self: Folder, path: str, *data: bytes) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            (write if data else delete)(self, path, *data)

        with monkeypatch.context() as patch:
            patch.setattr(Folder, "write", dying)
            patch.setattr(Folder, "delete", dying)
            try:
                site.collector(Told()).collect(AT_MS)
                break
            except Killed:
                kills += 1
        newest = site.collection.load()
        assert newest.about.id == first.id or newest.about.pictures == 2
        assert all(site.collection.picture(one.sha256) for one in newest.items)
    assert kills >= 5
    assert site.collection.load().about.pictures == 2
    assert [about.number for about in site.collection.versions()] == [1, 2]


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", "true")
    about, _ = site.collector(Told()).collect(AT_MS)
    site.collection.files.write(f"{VERSIONS}/{about.id}/index.jsonl", b"{}\n")
    with pytest.raises(VedetteError, match="is not what it was"):
        site.collection.load()


def test_other_tools_read_a_version(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", "true")
    about, _ = site.collector(Told(box())).collect(AT_MS)
    folder = tmp_path / "collection"
    (read,) = read_coco(folder, folder / VERSIONS / about.id / "annotations.json")
    assert isinstance(read, Read)
    assert [(name, x) for name, x, *_ in read.boxes] == [("person", 25), ("person", 100)]
    path = folder / VERSIONS / about.id / PARQUET
    rows = duckdb.sql(f"SELECT camera, answer, boxes[1].kind, len(boxes) FROM '{path}'").fetchall()
    assert rows == [("gate", "true", "confirmed", 2)]
    assert set(COLUMNS) == set(Item.__struct_fields__)


def test_an_index_is_the_same_bytes_in_any_order() -> None:
    items = [item("a", AT_MS + 1), item("b", AT_MS, box(), identities={"q": True, "p": False})]
    assert index_of(items) == index_of(items[::-1])
    assert list(items_of(index_of(items))) == [items[1], items[0]]
    assert io.BytesIO(coco(items)).read() == coco(items)


def test_one_frame_of_two_alerts_is_one_picture() -> None:
    one, other = item("a", AT_MS, box(10, "confirmed"), alert="x"), item("a", AT_MS, box(90, "background"), alert="y")
    (both,) = merged([other, one])
    assert (both.alert, [box.kind for box in both.boxes]) == ("y", ["confirmed", "background"])


@pytest.mark.parametrize(("verdict", "kinds"), [("true", ["confirmed", "pseudo"]), ("false", ["background", "pseudo"])])
def test_an_answer_is_about_the_alerts_track_wherever_it_was_kept(
    tmp_path: Path, verdict: str, kinds: list[str]
) -> None:
    site = Answering(tmp_path)
    site.alert("a", verdict, track_ids=(4,))
    jpeg = jpeg_of(np.full((90, 160, 3), 200, np.uint8))
    kept = item(site.collection.keep_picture(jpeg), AT_MS + 2000, source="sample")
    site.collection.keep_sample(Sample(item=kept, tracks={4: box(40), 5: box(100)}), jpeg)
    about, _ = site.collector(Told(box(41), box(100))).collect(AT_MS)
    _, sample = site.collection.load(about.id).items
    assert [one.kind for one in sample.learnt] == kinds
    assert (sample.boxes[0].xyxy[0], sample.boxes[0].by) == (40, "anna")
