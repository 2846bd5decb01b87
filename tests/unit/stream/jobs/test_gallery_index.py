"""The index of a large gallery: made beside the frames, right while it is behind, missed once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from stream.identity import Gallery, Person
from stream.identity.cohort import Vectors
from stream.identity.gallery import Vector
from stream.jobs import gallery_index
from stream.jobs.gallery_index import GalleryIndex
from tests.unit.stream.identity import people as world

ROWS = world.directions(40, np.random.default_rng(1))


def gallery(*numbers: int) -> Gallery:
    return Gallery.of({Person(f"p{number}", ""): ROWS[[number]] for number in numbers})


class Everybody:
    """An index that means all of whom it was made."""

    def __init__(self, owners: Sequence[str]) -> None:
        self.owners = frozenset(owners)

    def candidates(self, look: Vector) -> frozenset[str]:
        return self.owners


class Maker:
    """Makes indexes when it is let."""

    def __init__(self, large: int = 3) -> None:
        self.let, self.ready, self.made = threading.Event(), threading.Event(), []
        self.index = GalleryIndex(self.ready.set, self.build, large)

    def build(self, vectors: Vectors, owners: Sequence[str]) -> Everybody:
        assert self.let.wait(10)
        self.made.append(list(owners))
        return Everybody(owners)

    def finish(self) -> None:
        self.let.set()
        assert self.ready.wait(10)
        self.ready.clear()


def test_a_small_gallery_has_none() -> None:
    assert Maker().index.of(gallery(1, 2, 3)).index is None


def test_until_it_is_made_the_search_is_exact_and_changes_meanwhile_are_not_missed() -> None:
    maker = Maker()
    assert maker.index.of(gallery(1, 2, 3, 4)).index is None
    maker.index.changed("p9")
    now = gallery(1, 2, 3, 4, 9)
    assert maker.index.of(now).index is None
    maker.finish()
    indexed = maker.index.again(now)
    assert (indexed.index is not None, indexed.fresh, maker.made) == (True, {"p9"}, [["p1", "p2", "p3", "p4"]])
    assert indexed.nearest(ROWS[9], 1)[0].person.id == "p9"
    maker.index.changed("p1")
    gone = maker.index.of(gallery(2, 3, 4, 9))
    assert gone.nearest(ROWS[1], 1)[0].person.id != "p1"


def test_after_many_changes_it_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_index, "MANY", 2)
    maker = Maker()
    maker.index.of(gallery(1, 2, 3, 4))
    maker.finish()
    for number in (5, 6, 7):
        maker.index.changed(f"p{number}")
    maker.index.of(gallery(1, 2, 3, 4, 5, 6, 7))
    maker.finish()
    assert maker.made[-1] == ["p1", "p2", "p3", "p4", "p5", "p6", "p7"]
    assert maker.index.again(gallery(1, 2, 3, 4)).fresh == frozenset()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ImportError("faiss"), "pip install 'vedette[large-gallery]' makes that far cheaper"),
        (RuntimeError("out of memory"), "no index"),
    ],
)
def test_without_an_index_it_is_said_once_and_the_search_goes_on(
    fault: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    tried = threading.Event()

    def missing(vectors: Vectors, owners: Sequence[str]) -> Everybody:
        tried.set()
        raise fault

    index = GalleryIndex(lambda: None, missing, 3)
    with caplog.at_level(logging.WARNING):
        index.of(gallery(1, 2, 3, 4))
        assert tried.wait(10)
        for thread in threading.enumerate():
            if thread.name == "gallery index":
                thread.join(10)
        found = index.of(gallery(1, 2, 3, 4))
    assert found.index is None
    assert found.nearest(ROWS[4], 1)[0].person.id == "p4"
    (message,) = [one.message for one in caplog.records]
    assert message == f"4 pictures are enrolled, and each is compared with every face: {said}"
