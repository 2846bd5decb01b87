"""Fine-tuning: what a collection becomes to a loss, which blend is taken, and that a stopped run ends the same."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import torch

from archive.collection.items import About, Item
from archive.collection.store import Collection, Version
from archive.evidence.files import Folder
from contracts.errors import ConfigError
from contracts.manifest import load_manifest, model_bytes
from stream.vision import Session, SessionOptions
from tests.builders import jpeg_of
from tests.collection_tools import box, item
from tests.training_tools import in_service, stopped_in_step, tiny_tuning
from training.blends import Tried, answers_met, chosen, known_ap50
from training.collected import collected, site_sets
from training.dataset import Sample
from training.errors import TooLittleError
from training.evaluate import Found, SetResult
from training.finetune import FinetuneRecipe, Measured, branched, finetune
from training.gate.sets import Frozen
from training.network import DetectorNet, load_exported
from training.recipe import DetectorRecipe
from training.replay import digests
from training.small import Made, Small

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")]


@pytest.fixture
def site(tmp_path: Path) -> tuple[Collection, Version]:
    """A collection of six answered pictures of 96x64, each with a white square that a person confirmed."""
    collection, items = Collection(Folder(tmp_path / "collection")), list[Item]()
    for index in range(6):
        picture = np.full((64, 96, 3), 40, np.uint8)
        picture[10:34, 8 * index : 8 * index + 24] = 230
        name = collection.keep_picture(jpeg_of(picture))
        square = box(label="square", kind="confirmed", xyxy=(8.0 * index, 10.0, 8.0 * index + 24, 34.0))
        items.append(item(name, 600_000 * index, square, width=96, height=64))
    return collection, collection.load(collection.commit(items, 0).id)


@pytest.fixture
def parent(recipe: DetectorRecipe, squares: Path, tmp_path: Path) -> Path:
    """The manifest of a detector in service, with random weights."""
    return in_service(recipe, squares, tmp_path)


@pytest.fixture
def tuning(recipe: DetectorRecipe) -> FinetuneRecipe:
    """See tests.training_tools.tiny_tuning."""
    return tiny_tuning(recipe)


def test_a_candidate_says_where_it_comes_from(
    tuning: FinetuneRecipe, parent: Path, site: tuple[Collection, Version], squares: Path, tmp_path: Path
) -> None:
    (judged,) = digests([squares / "pictures" / "3.png"])
    written = finetune(tuning, parent, *site, squares, tmp_path / "out", Frozen(frozenset({judged})))
    made, before = load_manifest(written), load_manifest(parent)
    model_bytes(made, written.parent)
    assert made.lineage is not None
    assert (made.name, made.lineage.parent, made.lineage.data[0].sha256) == ("squares", before.id, site[1].about.id)
    assert made.version.startswith(f"{before.version}-1.")
    report = msgspec.json.decode((tmp_path / "out" / "finetune.json").read_bytes(), type=Measured)
    assert [one.share for one in report.tried] == [0.0, 0.5, 1.0]
    assert report.site_pictures + report.measured_pictures == 6
    learnt = set(written.with_suffix(".learnt").read_text().split())
    assert len(learnt & {one.sha256 for one in site[1].items}) == report.site_pictures
    replayed = set(digests((squares / "pictures").iterdir()))
    assert learnt & replayed == replayed - {judged}
    skipped = msgspec.json.decode((tmp_path / "out" / "skipped.json").read_bytes())
    assert set(skipped) == {"squares/3.png", "validate/3.png"}, "nor is anything chosen by what the gate judges with"
    assert not (tmp_path / "out" / "pictures").exists(), "retention knows nothing of a copy"


def test_where_the_gate_judges_with_all_that_was_said_it_is_too_little(
    tuning: FinetuneRecipe,
    parent: Path,
    site: tuple[Collection, Version],
    squares: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    frozen = Frozen(frozenset(one.sha256 for one in site[1].items))
    with pytest.raises(TooLittleError, match="no picture to train on"):
        finetune(tuning, parent, *site, squares, tmp_path / "out", frozen)
    assert "6 pictures are left out: the gate judges with them" in capsys.readouterr().out


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    tuning: FinetuneRecipe,
    parent: Path,
    site: tuple[Collection, Version],
    squares: Path,
    tmp_path: Path,
) -> None:
    unbroken = load_manifest(finetune(tuning, parent, *site, squares, tmp_path / "unbroken"))
    with stopped_in_step(4):
        finetune(tuning, parent, *site, squares, tmp_path / "broken")
    again = load_manifest(finetune(tuning, parent, *site, squares, tmp_path / "broken"))
    assert again.sha256 == unbroken.sha256


def test_only_what_people_spoke_of_gets_a_branch(
    tuning: FinetuneRecipe, parent: Path, site: tuple[Collection, Version], squares: Path, tmp_path: Path
) -> None:
    before = load_exported(parent.parent / load_manifest(parent).file)
    written = finetune(tuning, parent, *site, squares, tmp_path / "out")
    after = load_exported(written.parent / load_manifest(written).file)
    assert after.branches.channels == ((tuning.channels.index("square"),),)
    weights = after.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in before.state_dict().items())


def test_the_whole_network_is_trained_where_that_is_wanted(
    tuning: FinetuneRecipe, parent: Path, site: tuple[Collection, Version], squares: Path, tmp_path: Path
) -> None:
    whole = msgspec.structs.replace(tuning, whole=True)
    written = finetune(whole, parent, *site, squares, tmp_path / "out")
    assert not load_exported(written.parent / load_manifest(written).file).branches.channels


@pytest.mark.parametrize(
    ("left_out", "smaller_by", "steps"),
    [
        ({}, ("hinges for SiLU", "8 bits"), ["full precision", "distilled", "8 bits"]),
        ({"distil": None}, ("8 bits",), ["full precision", "8 bits"]),
    ],
    ids=["all steps", "as it is, in 8 bits"],
)
def test_a_small_model_is_made_of_the_candidate(
    tuning: FinetuneRecipe,
    parent: Path,
    site: tuple[Collection, Version],
    squares: Path,
    tmp_path: Path,
    left_out: dict[str, None],
    smaller_by: tuple[str, ...],
    steps: list[str],
) -> None:
    assert tuning.small is not None
    recipe = msgspec.structs.replace(tuning, small=msgspec.structs.replace(tuning.small, **left_out))
    written = finetune(recipe, parent, *site, squares, tmp_path / "out", small="squares-int8")
    full, made = load_manifest(tmp_path / "out" / "candidate" / "squares.json"), load_manifest(written)
    assert full.lineage is not None
    assert made.lineage == msgspec.structs.replace(full.lineage, parent=full.id, smaller_by=smaller_by)
    assert (made.name, made.version.partition(".")[0]) == ("squares-int8", full.version.partition(".")[0])
    session = Session.open(made, written.parent, SessionOptions(device="cpu"))
    assert len(session.infer([np.zeros((128, 128, 3), np.uint8)])) == 1
    report = msgspec.json.decode(written.with_suffix(".steps").read_bytes(), type=list[Made])
    assert [one.step for one in report] == steps
    assert report[-1].size_bytes == (written.parent / made.file).stat().st_size
    assert written.with_suffix(".learnt").read_text().split() == [*learnt_by(tmp_path / "out" / "candidate")]
    assert made.id in written.with_suffix(".md").read_text()


def learnt_by(folder: Path) -> list[str]:
    return (folder / "squares.learnt").read_text().split()


def test_a_small_model_that_was_stopped_goes_on(
    tuning: FinetuneRecipe, parent: Path, site: tuple[Collection, Version], squares: Path, tmp_path: Path
) -> None:
    assert tuning.small is not None
    recipe = msgspec.structs.replace(tuning, small=msgspec.structs.replace(tuning.small, quantise=None))
    with stopped_in_step(7):  # of four, and then of four of the student
        finetune(recipe, parent, *site, squares, tmp_path / "broken", small="little")
    again, unbroken = (
        load_manifest(finetune(recipe, parent, *site, squares, tmp_path / name, small="little"))
        for name in ("broken", "unbroken")
    )
    assert again.sha256 == unbroken.sha256


def test_what_of_a_small_model_is_refused(
    tuning: FinetuneRecipe, parent: Path, site: tuple[Collection, Version], squares: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="small: the recipe does not say how little is made"):
        finetune(msgspec.structs.replace(tuning, small=None), parent, *site, squares, tmp_path, small="little")
    for wrong in ({}, {"prune": 0.2, "quantise": {}}, {"distil": {"hinged": [], "schedule": {"steps": 1, "batch": 1}}}):
        with pytest.raises(msgspec.ValidationError, match="distil"):
            msgspec.convert(wrong, Small)


@pytest.mark.parametrize(
    ("has", "said", "trained", "branches"),
    [
        ((), ("square",), ("square",), (("square",),)),
        ((), ("square", "other", "elephant"), ("square", "other"), (("square", "other"),)),
        (("square",), ("square",), ("square",), (("square",),)),
        (("square",), ("square", "other"), ("square", "other"), (("square",), ("other",))),
        (("square",), ("other",), ("other",), (("square",), ("other",))),
    ],
    ids=["one", "all that it knows", "what it has a branch for", "that and another", "another"],
)
def test_which_labels_are_learnt(
    tuning: FinetuneRecipe,
    has: tuple[str, ...],
    said: tuple[str, ...],
    trained: tuple[str, ...],
    branches: tuple[tuple[str, ...], ...],
) -> None:
    start = start_with(tuning, has)
    assert branched(tuning, start, spoken_of(*said)).branch == trained
    assert start.branches.channels == tuple(channels_of(tuning, labels) for labels in branches)


@pytest.mark.parametrize(
    ("whole", "has", "said", "why"),
    [
        (False, (), "elephant", "nobody spoke of a label"),
        (True, ("square",), "square", "has a branch"),
    ],
    ids=["no label that it knows", "what a branch reads"],
)
def test_what_can_not_be_learnt(tuning: FinetuneRecipe, whole: bool, has: tuple[str, ...], said: str, why: str) -> None:
    recipe = msgspec.structs.replace(tuning, whole=whole)
    with pytest.raises(ConfigError, match=why):
        branched(recipe, start_with(tuning, has), spoken_of(said))


def start_with(tuning: FinetuneRecipe, has: tuple[str, ...]) -> DetectorNet:
    """A start that has a branch for these labels, where there are any."""
    start = DetectorNet(len(tuning.channels), tuning.width)
    if has:
        start.add_branch(channels_of(tuning, has))
    return start


def channels_of(tuning: FinetuneRecipe, labels: tuple[str, ...]) -> tuple[int, ...]:
    return msgspec.structs.replace(tuning, branch=labels).branch_channels


def spoken_of(*said: str) -> Version:
    """A version with a picture on which people confirmed these labels, denied one and a model saw another."""
    pseudo, no_hat = box(label="person"), box(kind="background", label="other", attributes=("hard_hat:yes",))
    items = (item("a", 0, pseudo, no_hat, *(box(label=label, kind="confirmed") for label in said)),)
    return Version(About(id="v", number=1, made_at_ms=0, pictures=1, cameras={}, answers={}, files={}), items)


def test_a_recipe_for_other_labels_is_refused(
    tuning: FinetuneRecipe, parent: Path, site: tuple[Collection, Version], squares: Path, tmp_path: Path
) -> None:
    other = msgspec.structs.replace(tuning, labels={"square": ("square",)})
    with pytest.raises(ConfigError, match="labels"):
        finetune(other, parent, *site, squares, tmp_path / "out")


@pytest.mark.parametrize(
    ("tried", "share"),
    [
        ([Tried(0.0, {"a": 0.8}, 0.1), Tried(0.5, {"a": 0.8}, 0.3), Tried(1.0, {"a": 0.7}, 0.9)], 0.5),
        ([Tried(0.0, {"a": 0.8}, 0.1), Tried(0.5, {"a": 0.795}, 0.3), Tried(1.0, {"a": 0.8}, 0.3)], 1.0),
        ([Tried(0.0, {"a": 0.8, "b": 0.5}, 0.5), Tried(1.0, {"a": 0.9, "b": 0.4}, 0.9)], 0.0),
        ([Tried(0.0, {"a": 0.8}, 0.5), Tried(1.0, {"a": 0.8}, 0.2)], 0.0),
    ],
    ids=["the best that forgets little", "of equals the farthest", "one set forgotten is enough", "nothing gained"],
)
def test_which_blend_is_taken(tried: list[Tried], share: float) -> None:
    assert chosen(tried, 0.01).share == share


def test_a_label_counts_by_its_boxes_in_what_was_forgotten(recipe: DetectorRecipe) -> None:
    labels = {"person": ("person",), "dog": ("dog",)}
    seen = [found([0, 0, 0]), found([1])]
    result = SetResult("old", {"person": 0.8, "dog": 0.4}, {}, tuple(seen))
    assert known_ap50(result, msgspec.structs.replace(recipe, labels=labels)) == pytest.approx(0.7)


def found(channels: list[int]) -> Found:
    """A picture with boxes of these channels, in which nothing was seen."""
    count = len(channels)
    truth = Sample("old", Path("old.jpg"), np.zeros((count, 4), np.float32), np.array(channels), np.ones(count))
    return Found(truth, (96, 64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


class Sure:
    """Sees a person at x=100 with .9, and one at 40 with .3."""

    def detect(self, picture: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        boxes = np.array([[100, 25, 125, 75], [40, 25, 65, 75]], np.float32)
        return boxes, np.array([0.9, 0.3], np.float32), np.array([0, 0])


@pytest.mark.parametrize(
    ("said", "met"),
    [
        ([box(100, "confirmed")], 0.9),
        ([box(40, "background")], -0.3),
        ([box(100, "confirmed"), box(10, "confirmed"), box(40, "background")], 0.15),
        ([box(100)], 0.0),
    ],
    ids=["confirmed", "denied", "missed, too", "nobody said"],
)
def test_how_well_answers_are_met(said: list, met: float, recipe: DetectorRecipe, tmp_path: Path) -> None:
    people = msgspec.structs.replace(recipe, labels={"person": ("person",)})
    collection = Collection(Folder(tmp_path))
    name = collection.keep_picture(jpeg_of(np.zeros((90, 160, 3), np.uint8)))
    held = collected(collection, [item(name, 0, *said)], people, tmp_path / "cache", 1.0)
    assert answers_met(Sure(), held, people) == pytest.approx(met, abs=1e-6)


def test_what_was_said_of_places_becomes_weights(recipe: DetectorRecipe, tmp_path: Path) -> None:
    labels = {"person": ("person",), "bag": ("handbag", "suitcase")}
    known = msgspec.structs.replace(recipe, labels=labels, teacher_sure=0.5, teacher_unsure=0.2)
    collection = Collection(Folder(tmp_path))
    name = collection.keep_picture(jpeg_of(np.zeros((90, 160, 3), np.uint8)))
    said = [
        box(0, "confirmed"),
        box(30, "background"),
        box(60, confidence=0.7),
        box(90, confidence=0.3),
        box(120, confidence=0.1),
        box(10, "confirmed", label="bag"),
        box(10, "confirmed", label="kite"),
    ]
    data = collected(collection, [item(name, 0, *said), item("gone")], known, tmp_path / "cache", 1.0)
    (sample,) = data.samples
    assert sample.weights.tolist() == pytest.approx([1.0, -1.0, 0.0, 0.7, 0.0])
    assert sample.partly
    assert [one.name for one in data.skipped] == ["gone"]
    assert cv2.imread(str(sample.path)).shape == (90, 160, 3)


@pytest.mark.parametrize(
    ("whole", "sets"),
    [
        ([True, False, False], [("site-labelled", False, 1.0), ("site", True, 2.0)]),
        ([True], [("site-labelled", False, 3.0)]),
        ([False], [("site", True, 3.0)]),
    ],
    ids=["both, a picture of either counts alike", "labelled alone", "answered alone"],
)
def test_only_what_people_judged_is_learnt_and_a_whole_picture_not_held_to_the_start(
    whole: list[bool], sets: list[tuple[str, bool, float]], recipe: DetectorRecipe, tmp_path: Path
) -> None:
    people = msgspec.structs.replace(recipe, labels={"person": ("person",)})
    collection, items = Collection(Folder(tmp_path)), list[Item]()
    for grey, complete in enumerate(whole):
        name = collection.keep_picture(jpeg_of(np.full((90, 160, 3), 40 * grey, np.uint8)))
        items.append(msgspec.structs.replace(item(name, grey, box(0, "confirmed")), complete=complete))
    no_hat = msgspec.structs.replace(box(0, "background"), attributes=("hard_hat:yes",))
    for grey, nothing_said in ((250, box(0)), (220, no_hat)):
        items.append(item(collection.keep_picture(jpeg_of(np.full((90, 160, 3), grey, np.uint8))), 9, nothing_said))
    made = site_sets(collection, items, people, tmp_path / "cache", 3.0)
    assert [(one.config.name, one.config.distil, one.config.weight) for one in made] == sets


def test_without_a_picture_there_is_nothing_to_train_on(recipe: DetectorRecipe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no picture"):
        site_sets(Collection(Folder(tmp_path)), [item("gone")], recipe, tmp_path / "cache", 3.0)
