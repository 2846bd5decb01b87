"""What people are called, by the topic and the master key."""

from __future__ import annotations

import numpy as np
import pytest

from archive.names import GalleryNames
from contracts.people import RemovedPerson
from tests.face_tools import MASTER, Enrolling
from vault import MasterKey, new_key

LOOK = np.eye(1, 128, dtype=np.float32)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> GalleryNames:
    return of(MASTER, monkeypatch)


def of(master: MasterKey | None, monkeypatch: pytest.MonkeyPatch) -> GalleryNames:
    """Without a broker: records are given by hand."""
    monkeypatch.setattr("archive.names.Follower.start", lambda self: None)
    return GalleryNames("127.0.0.1:1", master)


def test_names_change_and_go(names: GalleryNames) -> None:
    enrolling = Enrolling()
    names.take(enrolling.person("p-1", LOOK, "Ann", version=1))
    assert (names("p-1"), names("p-2")) == ("Ann", "")
    names.take(enrolling.person("p-1", LOOK, "Ann Winter", version=3))
    names.take(enrolling.person("p-1", LOOK, "Ann", version=2))  # an older word
    assert names("p-1") == "Ann Winter"
    names.take(enrolling.record(RemovedPerson(kind="person", id="p-1"), 4))
    assert names("p-1") == ""


@pytest.mark.parametrize("master", [None, MasterKey(new_key())], ids=["no key", "another key"])
def test_without_the_key_people_are_shown_by_id(master: MasterKey | None, monkeypatch: pytest.MonkeyPatch) -> None:
    names = of(master, monkeypatch)
    names.take(Enrolling().person("p-1", LOOK, "Ann")) if master else None
    assert names("p-1") == "person/p-1"
