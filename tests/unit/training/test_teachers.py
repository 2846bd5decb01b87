"""What the teachers' boxes become: learnt, ignored or dropped; and the suppression and windows behind them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from training import looked
from training.checkpoint import save_arrays
from training.dataset import Picture, Sample, read_set
from training.looked import looked_at
from training.network import COCO_NAMES
from training.recipe import DetectorRecipe
from training.teachers import _windows, _with_teachers, decode_yolox, suppress

pytestmark = pytest.mark.training

BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50]], np.float32)


@pytest.mark.parametrize(
    ("scores", "labels", "kept"),
    [
        ([0.9, 0.8, 0.7], [0, 0, 0], [0, 2]),  # the second overlaps the first by 9/11
        ([0.8, 0.9, 0.7], [0, 0, 0], [1, 2]),  # the surer one stays
        ([0.9, 0.8, 0.7], [0, 1, 0], [0, 1, 2]),  # labels don't suppress each other
    ],
)
def test_suppression(scores: list[float], labels: list[int], kept: list[int]) -> None:
    assert suppress(BOXES, np.array(scores, np.float32), np.array(labels), 0.6).tolist() == kept


def test_zooming_in_looks_through_windows_that_cover_the_picture() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    covered = np.zeros((100, 200), int)
    windows = _windows(picture, (1.0, 2.0))
    assert windows[0] == (0, 0, 200, 100)
    for x, y, width, height in windows[1:]:
        covered[y : y + height, x : x + width] += 1
    assert covered.min() == 1
    assert covered.max() == 4


def test_yolox_cells_become_boxes() -> None:
    cells = (64 // 8) ** 2 + (64 // 16) ** 2 + (64 // 32) ** 2
    raw = np.zeros((cells, 7), np.float32)
    raw[9, :4] = 0.5, 0.5, np.log(2), np.log(4)  # cell (1, 1) of stride 8
    raw[9, 4:] = 0.5, 0.2, 0.8
    boxes, scores = decode_yolox(raw, 64)
    np.testing.assert_allclose(boxes[9], [4, -4, 20, 28], atol=1e-4)
    np.testing.assert_allclose(scores[9], [0.1, 0.4], atol=1e-6)


def test_a_kill_while_boxes_are_kept_leaves_the_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "teachers" / "s.npz"
    save_arrays({"s/a:boxes": BOXES}, path)

    def killed(_self: Path, _target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_arrays({"s/a:boxes": BOXES, "s/b:boxes": BOXES}, path)
    assert list(np.load(path)) == ["s/a:boxes"]


def test_a_kill_while_teachers_look_costs_the_last_slice(
    recipe: DetectorRecipe, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looked, "SLICE", 2)
    data, path = read_set(recipe.sets[0], squares, tmp_path, recipe.channels), tmp_path / "teachers" / "squares.npz"
    seen: list[int] = []

    def look(picture: Picture) -> tuple[np.ndarray, ...]:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(len(seen))
        return BOXES, np.array([0.9, 0.8, len(seen)])

    with pytest.raises(KeyboardInterrupt):
        looked_at(data, ("boxes", "scores"), look, path)
    seen.clear()
    found = looked_at(data, ("boxes", "scores"), look, path)
    assert len(seen) == 2  # of four; the first two were kept, the third was lost
    assert [found[f"{sample.key}:scores"][2] for sample in data.samples] == [1, 2, 1, 2]


def test_sure_boxes_are_learnt_and_unsure_ones_ignored(recipe: DetectorRecipe) -> None:
    person, car = COCO_NAMES.index("person"), COCO_NAMES.index("car")
    own = msgspec.structs.replace(
        recipe, labels={"person": ("person",), "car": ("car",)}, teacher_sure=0.5, teacher_unsure=0.2
    )
    sample = Sample("s/a", Path("a.png"), BOXES[:1], np.array([0]), np.ones(1, np.float32))
    stored = {
        "s/a:boxes": np.concatenate((BOXES, BOXES[:1])),
        "s/a:scores": np.array([0.9, 0.3, 0.1, 0.8], np.float32),
        "s/a:labels": np.array([car, car, car, person]),
    }
    taught = _with_teachers(sample, stored, ("person",), own)
    # A person's own label; a sure car; an unsure car; the third car is too faint, and of people the set knows all.
    assert taught.channels.tolist() == [0, 1, 1]
    assert taught.weights.tolist() == pytest.approx([1.0, 0.9, 0.0])
