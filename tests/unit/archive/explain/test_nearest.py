"""What a box looks like: the data set's boxes by how alike the model sees them, each picture looked at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from archive.collection.items import Item
from archive.collection.store import Collection
from archive.evidence.files import Folder
from archive.explain.__main__ import answer
from archive.explain.explaining import OPTIONS
from archive.explain.nearest import nearest, strip, vector_at
from archive.explain.question import Nearest, Question
from contracts.config import Learning
from contracts.errors import ModelError, VedetteError
from stream.vision.session import Session
from tests.builders import DATA, jpeg_of, manifest_of, solid
from tests.collection_tools import box, item
from tests.evidence_tools import AT_MS

LAMP = (160.0, 80.0, 240.0, 160.0)
"""One cell of the model in a picture of 320x320."""
RED, ORANGE, BLUE = (0, 0, 255), (0, 90, 250), (255, 0, 0)


def lamp(bgr: tuple[int, int, int]) -> bytes:
    picture = solid(320, 320)
    picture[80:160, 160:240] = bgr
    return jpeg_of(picture)


class DataSet:
    """Pictures of a lamp each, and a model whose looks are colours."""

    def __init__(self, root: Path) -> None:
        self.collection = Collection(Folder(root))
        self.session = Session.open(manifest_of(DATA / "bright_looks.onnx", embedding=3), DATA, OPTIONS)
        self.items: list[Item] = []

    def add(self, bgr: tuple[int, int, int], camera: str = "gate", **changes: object) -> str:
        name = self.collection.keep_picture(lamp(bgr))
        said = box(**({"xyxy": LAMP, "label": "lamp", "kind": "confirmed", "by": "anna"} | changes))
        self.items.append(item(name, AT_MS + len(self.items), said, camera=camera, width=320, height=320))
        self.collection.commit(self.items, AT_MS + len(self.items))
        return name

    def like(self, bgr: tuple[int, int, int], **how: object) -> Nearest:
        vector = vector_at(self.session, lamp(bgr), (320, 320), LAMP)
        return nearest(self.collection, self.session, vector, **how)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    return DataSet(tmp_path)


def test_the_most_alike_come_first_with_what_was_said_of_them(data: DataSet) -> None:
    blue, red, orange = data.add(BLUE, kind="background"), data.add(RED), data.add(ORANGE, camera="hall")
    found = data.like(RED, learnt=frozenset({orange}))
    assert [one.picture for one in found.examples] == [red, orange, blue]
    assert [one.learnt for one in found.examples] == [False, True, False]
    assert (found.examples[0].likeness, found.examples[2].kind) == (pytest.approx(1, abs=0.01), "background")
    assert found.examples[2].likeness < 0.1
    assert (found.pictures, found.looked_at, found.version) == (3, 3, data.collection.load().about.id)
    assert [one.picture for one in data.like(RED, most=1).examples] == [red]
    assert [one.picture for one in data.like(RED, sees="hall".__eq__).examples] == [orange]


def test_a_picture_is_looked_at_once_and_goes_with_all_that_was_made_of_it(data: DataSet) -> None:
    red, blue = data.add(RED), data.add(BLUE)
    assert (data.like(RED, most_new=1).looked_at, data.like(RED, most_new=1).looked_at) == (1, 2)
    (kept,) = data.collection.files.folders("vectors")
    assert len(data.collection.files.paths(f"vectors/{kept}")) == 2
    data.collection.forget_picture(red)
    assert [path.rpartition("/")[2] for path in data.collection.files.paths("vectors")] == [f"{blue}.msgpack"]
    assert [one.picture for one in data.like(RED).examples] == [blue]
    data.collection.sweep([], data.collection.held())
    assert data.collection.files.paths("vectors") == []


def test_a_strip_shows_what_is_still_there(data: DataSet) -> None:
    red = data.add(RED)
    data.add(BLUE)
    found = data.like(RED).examples
    two = strip(data.collection, found)
    data.collection.forget_picture(red)
    one = strip(data.collection, found)
    assert two.startswith(b"\xff\xd8")
    assert 0 < len(one) < len(two)
    assert strip(data.collection, ()) == b""


def test_what_can_not_be_compared_is_said(data: DataSet) -> None:
    with pytest.raises(VedetteError, match="nothing is collected yet"):
        nearest(data.collection, data.session, np.zeros(3, np.float32))
    with pytest.raises(ModelError, match="does not see it"):
        vector_at(data.session, lamp(RED), (320, 320), (0.0, 0.0, 80.0, 80.0))
    plain = Session.open(manifest_of(DATA / "bright_boxes.onnx"), DATA, OPTIONS)
    with pytest.raises(ModelError, match="no appearance"):
        vector_at(plain, lamp(RED), (320, 320), LAMP)


def test_an_answer_brings_what_it_looks_like_as_pictures(data: DataSet, tmp_path: Path) -> None:
    data.add(RED)
    data.add(BLUE)
    manifest = data.session.manifest
    file = tmp_path / "model" / "manifest.json"
    file.parent.mkdir()
    file.write_bytes(msgspec.json.encode(manifest))
    shutil.copy(DATA / manifest.file, file.parent)
    question = Question(
        jpeg=lamp(RED), width=320, height=320, label="red", xyxy=LAMP, model=manifest.id, manifest=str(file)
    )
    wanted = msgspec.structs.replace(question, learning=Learning(folder=str(tmp_path)))
    assert answer(question).alike == ()
    first, second = answer(wanted).alike
    assert (first.example.likeness, second.example.likeness < 0.1) == (pytest.approx(1, abs=0.01), True)
    assert first.jpeg.startswith(b"\xff\xd8")
    assert answer(msgspec.structs.replace(wanted, learning=Learning(folder=str(file.parent)))).alike == ()
