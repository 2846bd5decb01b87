"""What faces have in common with everybody is taken off, and the file of the others is the one measured with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from contracts.errors import ModelError
from contracts.face_models import BUNDLED
from contracts.manifest import ModelManifest, load_manifest
from stream.identity import Cohort, Gallery, Person, cohort_of
from stream.identity.cohort import NEAREST, SHARE, packed, unpacked
from tests.unit.stream.identity import people as world

MANIFEST = load_manifest(BUNDLED / "face-embedder.json")


@pytest.fixture
def cohort() -> Cohort:
    return Cohort(world.directions(300, np.random.default_rng(1)))


def test_an_excess_is_the_share_of_what_the_nearest_have_beyond_the_usual(cohort: Cohort) -> None:
    faces = world.directions(5, np.random.default_rng(2))
    among = cohort.vectors @ cohort.vectors.T
    np.fill_diagonal(among, -1)
    usual = np.sort(among)[:, -NEAREST:].mean()
    wanted = SHARE * (np.sort(faces @ cohort.vectors.T)[:, -NEAREST:].mean(axis=1) - usual)
    np.testing.assert_allclose(cohort.excess(faces), wanted, atol=1e-6)
    np.testing.assert_allclose(
        cohort.likeness(faces, faces), faces @ faces.T - wanted[:, None] - wanted[None], atol=1e-6
    )


def test_without_a_cohort_it_is_the_cosine() -> None:
    faces = world.directions(4, np.random.default_rng(2))
    np.testing.assert_array_equal(Cohort().likeness(faces, faces), faces @ faces.T)


def test_a_gallery_scores_as_the_cohort_says_by_each_picture(cohort: Cohort) -> None:
    pictures = world.directions(6, np.random.default_rng(3)).reshape(3, 2, -1)
    people = {Person(f"p{number}", ""): rows for number, rows in enumerate(pictures)}
    look = world.directions(1, np.random.default_rng(4))
    wanted = cohort.likeness(look, pictures.reshape(6, -1)).reshape(3, 2).max(axis=1)
    np.testing.assert_allclose(Gallery.of(people, cohort=cohort).scores(look[0]), wanted, atol=1e-6)


def test_whoever_is_like_everybody_is_mistaken_less_often(cohort: Cohort) -> None:
    """Strangers share a direction with the cohort, and so does one of two enrolled people."""
    rng = np.random.default_rng(5)
    common = world.directions(1, rng)[0]
    crowd = world.looks(common, np.full(400, 0.5), rng)
    held = Cohort(crowd[:300])
    usual, special = world.looks(common, np.full(1, 0.6), rng), world.directions(1, rng)
    cosines, likeness = crowd[300:] @ usual[0], held.likeness(crowd[300:], usual)[:, 0]
    assert cosines.mean() - (crowd[300:] @ special[0]).mean() > 0.2
    assert abs(likeness.mean() - held.likeness(crowd[300:], special).mean()) < cosines.mean() / 2


def test_the_file_is_read_as_it_was_measured_with(tmp_path: Path, cohort: Cohort) -> None:
    content = packed(cohort.vectors)
    (tmp_path / "c.npy").write_bytes(content)
    read = cohort_of(named("c.npy", hashlib.sha256(content).hexdigest()), tmp_path)
    np.testing.assert_array_equal(read.vectors, unpacked(content))
    assert (read.vectors * cohort.vectors).sum(axis=1).min() > 0.999
    np.testing.assert_array_equal(unpacked(packed(read.vectors)), read.vectors)


@pytest.mark.parametrize(("file", "words"), [("none.npy", "No such file"), ("c.npy", "has sha256")])
def test_another_file_is_refused(tmp_path: Path, cohort: Cohort, file: str, words: str) -> None:
    (tmp_path / "c.npy").write_bytes(packed(cohort.vectors))
    with pytest.raises(ModelError, match=words):
        cohort_of(named(file, "0" * 64), tmp_path)


def test_the_bundled_embedder_has_one() -> None:
    assert cohort_of(MANIFEST, BUNDLED).vectors.shape[1] == MANIFEST.embedding
    assert cohort_of(msgspec.structs.replace(MANIFEST, calibration=None), BUNDLED).vectors.size == 0


def named(file: str, sha256: str) -> ModelManifest:
    assert MANIFEST.calibration is not None
    return msgspec.structs.replace(
        MANIFEST, calibration=msgspec.structs.replace(MANIFEST.calibration, cohort=file, cohort_sha256=sha256)
    )
