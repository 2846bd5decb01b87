"""Answers about an attribute against what looks alike: poisoned ones are refused by the gate, right ones are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from archive.collection.attribute_words import Judged, attribute_words
from archive.collection.attributes import Shown
from archive.collection.words import counted, doubts
from tests.collection_tools import item
from training.classifiers.pictures import Labelled
from training.classifiers.recipe import ClassifierRecipe, HeadConfig, NetworkConfig
from training.classifiers.unlearnt import judged
from training.gate.judge import Limits
from training.gate.words import contradicted

VALUES = ("no", "yes")
RECIPE = ClassifierRecipe(
    name="hats",
    version="1",
    network=NetworkConfig(name="none"),
    labels=VALUES,
    head=HeadConfig(l2=(1e-2, 1e-1), most_iterations=30),
)
COUNT, WIDE = 120, 32


@pytest.mark.parametrize(("poisoned", "refused"), [(0.0, False), (0.3, True)], ids=["right answers", "poisoned"])
def test_the_gate_refuses_answers_that_what_looks_alike_contradicts(poisoned: float, refused: bool) -> None:
    rng = np.random.default_rng(3)
    truth = np.arange(COUNT) % 2
    wrong = rng.random(COUNT) < poisoned
    said = np.where(wrong, 1 - truth, truth)
    looks = rng.normal(size=(COUNT, WIDE)) + 1.2 * truth[:, None] * (np.arange(WIDE) % 4 == 0)
    items = [Labelled(Path(f"{k}.png"), VALUES[said[k]], "train", group=str(k // 2)) for k in range(COUNT)]
    sure = judged(RECIPE, items, torch.from_numpy(looks).float(), said)
    told = attribute_words([word(k, said[k], sure[k]) for k in range(COUNT)], "hard_hat", 0)
    found = [reason.label for refuses, reason in contradicted(counted(told), Limits()) if refuses]
    assert found == ["hard_hat: no", "hard_hat: yes"] * refused
    named = {int(name) for name in doubts(told)}
    assert len(named & set(np.flatnonzero(wrong))) >= 0.7 * wrong.sum()


def word(k: int, said: int, sure: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Judged:
    """The answer to an alert of its own."""
    shown = Shown(item(str(k)), (0, 0, 9, 9), VALUES[said], True, f"alert {k}", "anna", 1)
    return Judged(shown, dict(zip(VALUES, sure.tolist(), strict=True)))


def test_nothing_is_said_of_what_all_of_a_label_is_needed_for() -> None:
    items = [Labelled(Path(f"{k}.png"), VALUES[k > 0], "train", group=str(k)) for k in range(6)]
    sure = judged(RECIPE, items, torch.eye(6), np.array([0, 1, 1, 1, 1, 1]))
    assert np.isnan(sure).any()
