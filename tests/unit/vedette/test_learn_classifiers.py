"""`vedette learn` renews classifiers from answers about their attributes, beside the detector or alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from archive.collection.when import last_learnt
from contracts.attributes import TrackAttribute
from contracts.errors import ConfigError, VedetteError
from contracts.messages import Condition
from tests.builders import DATA, shade_manifest
from tests.registry_tools import SITE
from tests.unit.vedette.test_learn_command import BLUE, BOTH, Site
from training.errors import TOO_LITTLE
from vedette.errors import RefusedError
from vedette.learn import Train

SHADE = "classifier:shade"
RIGHT, WRONG = ("blue", "green", "red"), ("green", "blue", "red")
"""What the tiny classifier sees is the first, and taken for the second."""


class Shades(Site):
    """The same site with a classifier that says wrong shades, a recipe for it, and two answers about a shade."""

    def __init__(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(tmp_path, capsys, in_service=BLUE)
        self.first = self._model(tmp_path / "first", "1", WRONG)
        self.recipe = tmp_path / "shade.yaml"
        self.recipe.write_text(
            "{name: shade, version: '1', network: {name: any}, attribute: {name: shade}, labels: [blue, green, red]}"
        )
        told = "classifiers: {shade: {recipe: shade.yaml, gate: gate.yaml}}"
        config = self.config.read_text().replace("replay: data", f"replay: data, {told}")
        self.config.write_text(f"{config}classifiers: {{shade: {{manifest: {self.first}}}}}\n")
        for number in range(2):
            self.shade(f"shade{number}", grey=90 + 30 * number)
        self.seen = list[str]()

    def shade(self, id: str, grey: int) -> None:
        """A rule asked for somebody in blue, and was right."""
        said = TrackAttribute(name="shade", value="blue", confidence=0.9, looks=4)
        trace = (Condition(name="shade", wanted="blue", got="blue"),)
        self.answers().alert(id, "true", grey=grey, attributes=(said,), trace=trace)

    def both(self, labels: tuple[str, ...] = RIGHT, code: int = 0) -> Train:
        """Stands for the trainings of both slots; the classifier's ends with this code."""
        detector = self.training(BOTH)

        def train(arguments: list[str]) -> int:
            self.seen.append(arguments[1])
            if arguments[1] != "classifier":
                return detector(arguments)
            given = dict(zip(arguments[2::2], arguments[3::2], strict=True))
            if not code:
                self._model(Path(given["--out"]), "2", labels)
            return code

        return train

    def learnt(self, slot: str) -> str:
        learnt = last_learnt(self.answers().collection, slot)
        return learnt.candidate if learnt is not None else ""

    def _model(self, folder: Path, version: str, labels: tuple[str, ...]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = shade_manifest(name="shade", version=version, labels=labels)
        shutil.copy(DATA / manifest.file, folder)
        (folder / "shade.json").write_bytes(msgspec.json.encode(manifest))
        (folder / "shade.doubts").write_text("{}")
        return folder / "shade.json"


def test_answers_about_an_attribute_renew_its_classifier_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Shades(tmp_path, capsys)
    assert site.loop.learn("", site.both()) == 0
    said = capsys.readouterr().out
    assert "training, detector: 3 new answers" in said
    assert f"training, {SHADE}: 2 new answers" in said
    assert (site.learnt("detector"), site.learnt(SHADE)) == ("detector@2", "shade@2")
    assert site.registry.standing(SITE)[SHADE].in_service == "shade@1", "nothing goes into service"
    site.registry.promote("shade@2", SITE, "everywhere", by="bea")
    assert site.loop.learn("", site.both()) == 0
    assert site.seen == ["finetune", "classifier"]


def test_one_slot_alone_may_learn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Shades(tmp_path, capsys)
    assert site.loop.learn("", site.both(), SHADE) == 0
    assert (site.seen, site.learnt(SHADE)) == (["classifier"], "shade@2")
    with pytest.raises(ConfigError, match="what does: detector, classifier:shade"):
        site.loop.learn("", site.both(), "classifier:hat")


def test_a_slot_that_fails_keeps_no_other_from_learning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Shades(tmp_path, capsys)
    with pytest.raises(ConfigError, match="see above"):
        site.loop.learn("by hand", site.both(code=2))
    assert (site.learnt("detector"), site.learnt(SHADE)) == ("detector@2", "")
    with pytest.raises(RefusedError, match="shade@2 is refused"):
        site.loop.learn("by hand", site.both(labels=WRONG))
    assert site.learnt(SHADE) == "shade@2"
    assert site.seen == ["finetune", "classifier", "classifier"], "what was done is not done again"


def test_a_site_without_frozen_sets_for_its_detector_learns_its_classifiers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Shades(tmp_path, capsys)
    site.config.write_text(site.config.read_text().replace("gate: gate.yaml, after", "after"))
    assert site.loop.learn("", site.both()) == 0
    assert (site.seen, site.learnt(SHADE)) == (["classifier"], "shade@2")
    assert "detector: not trained, as learning.gate names no frozen sets" in capsys.readouterr().out


def test_memory_that_runs_out_in_one_slot_keeps_no_other_from_learning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Shades(tmp_path, capsys)
    train = site.both()

    def without_memory(arguments: list[str]) -> int:
        if arguments[1] == "finetune":
            raise RuntimeError("CUDA out of memory")
        return train(arguments)

    with pytest.raises(VedetteError, match="the training of detector failed: see above"):
        site.loop.learn("by hand", without_memory)
    assert (site.learnt("detector"), site.learnt(SHADE)) == ("", "shade@2")
    assert "CUDA out of memory" in capsys.readouterr().err


def test_too_few_answers_of_a_value_are_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Shades(tmp_path, capsys)
    assert site.loop.learn("", site.both(code=TOO_LITTLE), SHADE) == 0
    assert (site.learnt(SHADE), "it is not time to train" in capsys.readouterr().out) == ("", True)
    assert site.loop.learn("", site.both(), SHADE) == 0
    assert site.learnt(SHADE) == "shade@2"


def test_a_recipe_is_about_the_attribute_that_it_is_named_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Shades(tmp_path, capsys)
    site.recipe.write_text(site.recipe.read_text().replace("{name: shade},", "{name: hat},"))
    with pytest.raises(ConfigError, match=r"classifiers.shade.recipe: shade.yaml is about `hat`"):
        site.loop.learn("", site.both())
    assert site.learnt("detector") == "detector@2", "what is wrong with one slot keeps no other from learning"


def test_answers_that_wait_for_a_recipe_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Shades(tmp_path, capsys)
    config = site.config.read_text()
    site.config.write_text(config.replace("classifiers: {shade: {recipe: shade.yaml, gate: gate.yaml}}", "queue: 10"))
    assert site.loop.learn("", site.both()) == 0
    assert "2 answers are about shade: learning.classifiers names no recipe" in capsys.readouterr().out
