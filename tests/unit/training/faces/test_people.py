"""People are split by their names alone, and what can't be read is listed."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from contracts.errors import ConfigError
from training.faces.people import read_people, role_of
from training.faces.recipe import EmbedderRecipe, LocaliserRecipe, PeopleConfig
from training.yaml_file import read_yaml

pytestmark = pytest.mark.training

RECIPES = Path(__file__).resolve().parents[4] / "training" / "recipes"
NAMES = [f"Person_{number}" for number in range(2000)]


def test_the_shares_are_those_of_the_recipe_and_nobody_moves_when_others_come() -> None:
    config = PeopleConfig(pictures="faces", test=0.35, validate=0.1, unused=("Person_7",))
    roles = [role_of(name, config) for name in NAMES]
    assert roles.count("test") / 2000 == pytest.approx(0.35, abs=0.03)
    assert roles.count("validate") / 2000 == pytest.approx(0.1, abs=0.02)
    assert roles[7] is None
    assert [role_of(name, config) for name in NAMES[:50]] == roles[:50]
    assert [role_of(name, msgspec.structs.replace(config, seed=2)) for name in NAMES] != roles


def test_both_recipes_split_the_people_alike() -> None:
    embedder = read_yaml(RECIPES / "face-embedder.yaml", EmbedderRecipe)
    localiser = read_yaml(RECIPES / "face-localiser.yaml", LocaliserRecipe)
    assert embedder.people == localiser.people
    assert "Colin_Powell" in embedder.people.unused  # in the localiser's test pictures


def test_faces_of_another_size_and_broken_files_are_listed(tmp_path: Path) -> None:
    for name in ("Ann", "Bob"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "faces" / name / "1.png"), np.full((112, 112, 3), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "faces" / "Bob" / "2.png"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "faces" / "Bob" / "3.png").write_text("no picture")
    faces = read_people(PeopleConfig(pictures="faces", test=0, validate=0), "train", tmp_path)
    assert faces.keys == ("Ann/1.png", "Bob/1.png")
    assert faces.persons.tolist() == [0, 1]
    assert [(item.name, item.reason) for item in faces.skipped] == [
        ("Bob/2.png", "64x64 instead of 112x112"),
        ("Bob/3.png", "not a picture that can be decoded"),
    ]


def test_missing_faces_are_said_with_their_place() -> None:
    with pytest.raises(ConfigError, match=r"people\.pictures: none is not a folder"):
        read_people(PeopleConfig(pictures="none"), "train", Path("/"))


def test_a_wrong_key_of_a_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text((RECIPES / "face-embedder.yaml").read_text().replace("licence:", "lizenz:") + "colour: blue\n")
    with pytest.raises(ConfigError, match="colour"):
        read_yaml(path, EmbedderRecipe)
