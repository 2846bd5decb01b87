"""What a training of `vedette learn` begins with: the oldest ancestor; for a small model, what that was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import ConfigError
from contracts.manifest import Lineage
from tests.registry_tools import SITE, made, opened
from tests.unit.vedette.test_learn_command import BLUE, BOTH, Site
from vedette.errors import RefusedError
from vedette.learners import oldest


def test_where_a_small_model_is_in_service_the_one_it_was_made_of_learns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    folder, of = tmp_path / "trained" / "1", Lineage(parent="detector@1", smaller_by=("8 bits",))
    small = made(tmp_path, "1", name="little", label_map=BLUE, lineage=of)
    assert (small.parent, sorted(file.name for file in folder.glob("*.json"))) == (
        folder,
        ["detector.json", "little.json"],
    )
    site.config.write_text(site.config.read_text().replace("detector.json", "little.json"))
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    assert site.registered() == ["detector@1", "detector@2", "little@1", "little@2-small"]
    assert site.registry.get("little@2-small").gate is not None
    assert site.registry.get("detector@2").gate is None, "it is what the small one was made of"
    site.registry.promote("little@2-small", SITE, "everywhere", by="bea")
    site.answers().alert("b", "false", grey=90)
    with pytest.raises(RefusedError):
        site.loop.learn("by hand", site.training(BLUE, version="3"))
    assert site.begun_with == ["detector@1", "detector@1"]


def test_what_a_small_model_was_made_of_has_to_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    of = Lineage(parent="big@1", smaller_by=("8 bits",))
    made(tmp_path, "1", label_map=BLUE, lineage=of)
    with pytest.raises(ConfigError, match="detector@1 is small, and big@1"):
        site.loop.learn("by hand", site.training(BOTH))


def test_who_wants_a_small_model_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path, capsys, in_service=BLUE)
    site.config.write_text(site.config.read_text().replace("replay: data", "replay: data, small: little"))
    assert site.loop.learn("by hand", site.training(BOTH)) == 0
    assert site.registered() == ["detector@1", "detector@2", "little@2-small"]
    site.registry.promote("little@2-small", SITE, "everywhere", by="bea")


@pytest.mark.parametrize(
    ("id", "ancestor"),
    [("detector@1", "detector@1"), ("detector@3", "detector@1"), ("detector@4", "detector@4")],
    ids=["it has none", "over two trainings", "its own is not in the registry"],
)
def test_each_training_begins_with_the_oldest_ancestor(id: str, ancestor: str, tmp_path: Path) -> None:
    registry = opened(tmp_path)
    for version, parent in (("1", ""), ("2", "detector@1"), ("3", "detector@2"), ("4", "detector@gone")):
        registry.register(made(tmp_path, version, lineage=Lineage(parent=parent)), "anna")
    assert oldest(registry, id) == ancestor
