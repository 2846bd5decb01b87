"""The loss: who answers for a box, what is not punished, and that no change from the start costs nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training.loss import Targets, answered, assign, detection_loss, distillation_loss, iou_pairs
from training.network import anchor_points
from training.recipe import LossConfig

pytestmark = pytest.mark.training

POINTS, STRIDES = anchor_points(96)


def predictions(box: tuple[float, float, float, float] = (48, 48, 24, 24), logit: float = -4.0) -> Tensor:
    """Every cell says the same box (centre, size), with the same logits for presence and two classes."""
    raw = torch.full((len(POINTS), 7), logit)
    raw[:, :4] = torch.tensor(box)
    return raw


def targets(xyxy: list[list[float]], weights: list[float], distil: bool = False) -> Targets:
    return Targets(
        torch.tensor(xyxy).reshape(-1, 4), torch.zeros(len(xyxy), dtype=torch.long), torch.tensor(weights), distil
    )


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1.0),  # the same
        ([0, 0, 10, 10], [5, 0, 15, 10], 1 / 3),  # half over half
        ([0, 0, 10, 10], [10, 0, 20, 10], 0.0),  # touching
    ],
)
def test_overlap(a: list[float], b: list[float], overlap: float) -> None:
    assert iou_pairs(torch.tensor(a, dtype=torch.float), torch.tensor(b, dtype=torch.float)).item() == pytest.approx(
        overlap
    )


def test_cells_near_the_middle_answer_for_a_box() -> None:
    found = assign(predictions(), targets([[36, 36, 60, 60]], [1.0]), POINTS, STRIDES)
    assert 1 <= len(found.cells) <= 10
    away = (POINTS[found.cells] - 48).abs().amax(1) / STRIDES[found.cells]
    assert (away < 2.5).all()
    assert found.overlaps.min() == pytest.approx(1.0)


def test_two_boxes_never_share_a_cell() -> None:
    two = targets([[36, 36, 60, 60], [38, 36, 62, 60]], [1.0, 1.0])
    found = assign(predictions(), two, POINTS, STRIDES)
    assert len(set(found.cells.tolist())) == len(found.cells)
    assert set(found.boxes.tolist()) == {0, 1}


def test_an_ignored_place_is_neither_learnt_nor_punished() -> None:
    sure_of_it = predictions(logit=4.0)[None]
    ignored = detection_loss(sure_of_it, [targets([[0, 0, 96, 96]], [0.0])], POINTS, STRIDES, LossConfig())
    empty = detection_loss(sure_of_it, [targets([], [])], POINTS, STRIDES, LossConfig())
    assert ignored["objectness"].item() == 0
    assert empty["objectness"].item() > 100
    assert ignored["box"].item() == ignored["classes"].item() == 0


def test_a_better_box_costs_less() -> None:
    def box_loss(width: float) -> float:
        raw = predictions((48, 48, width, 24))[None]
        return detection_loss(raw, [targets([[36, 36, 60, 60]], [1.0])], POINTS, STRIDES, LossConfig())["box"].item()

    assert box_loss(24) < 1e-4 < box_loss(20) < box_loss(12)


def test_staying_at_the_start_costs_no_distillation() -> None:
    start = predictions(logit=1.0)[None]
    still = start.clone().requires_grad_()
    loss = distillation_loss(still, start, LossConfig())
    loss.backward()  # type: ignore[no-untyped-call]
    assert still.grad is not None
    assert still.grad[..., 4:].abs().max() < 1e-6
    moved = distillation_loss(predictions((52, 48, 24, 24), logit=-1.0)[None], start, LossConfig())
    assert moved > loss + 0.5


def test_nothing_is_pulled_below_what_the_start_takes_for_an_object() -> None:
    raw = predictions(logit=0.0)[None].requires_grad_(True)
    presence = torch.zeros(1, len(POINTS))
    presence[0, 7] = 0.9  # a chair, say: the start is sure of it, and it has no label here
    parts = detection_loss(raw, [targets([], [])], POINTS, STRIDES, LossConfig(), presence)
    parts["objectness"].backward()
    assert raw.grad is not None
    assert raw.grad[0, 7, 4] < 0  # rises
    assert (raw.grad[0, :7, 4] > 0).all()  # the rest falls


@pytest.mark.parametrize(("others", "share"), [(1.0, 1.0), (0.1, 0.1), (0.0, 0.0)])
def test_a_box_teaches_the_channels_of_others_as_much_as_configured(others: float, share: float) -> None:
    def pull(weight: float) -> Tensor:
        raw = predictions()[None].requires_grad_(True)
        config = LossConfig(others=weight)
        parts = detection_loss(raw, [targets([[36, 36, 60, 60]], [1.0])], POINTS, STRIDES, config)
        parts["classes"].backward()
        assert raw.grad is not None
        return raw.grad[0].sum(0)

    assert pull(others)[5] == pytest.approx(float(pull(1.0)[5]))  # its own channel: the same
    assert float(pull(others)[6]) == pytest.approx(share * float(pull(1.0)[6]))


@pytest.mark.parametrize(
    ("weight", "presence_falls"), [(-1.0, True), (0.0, False)], ids=["a person said: nothing there", "ignored"]
)
def test_what_a_person_denied_is_pulled_down_though_the_start_sees_it(weight: float, presence_falls: bool) -> None:
    raw = predictions(logit=2.0).requires_grad_()
    floor = torch.full((1, len(POINTS)), 0.9)
    where = targets([[36, 36, 60, 60]], [weight])
    detection_loss(raw[None], [where], POINTS, STRIDES, LossConfig(), floor)["objectness"].backward()
    inside = ((POINTS > 36) & (POINTS < 60)).all(1)
    assert bool((raw.grad[inside, 4] > 0.5).all()) is presence_falls


@pytest.mark.parametrize(("partly", "held"), [(True, False), (False, True)])
def test_where_a_person_spoke_the_starts_answers_do_not_count(partly: bool, held: bool) -> None:
    said = targets([[36, 36, 60, 60]], [1.0], distil=True)
    places = answered([replace(said, partly=partly)], POINTS)
    ours, theirs = predictions(logit=2.0)[None].requires_grad_(), predictions(logit=-2.0)[None]
    distillation_loss(ours, theirs, LossConfig(), places).backward()
    inside = ((POINTS > 36) & (POINTS < 60)).all(1)
    assert bool((ours.grad[0, inside, 4] != 0).any()) is held
    assert bool((ours.grad[0, ~inside, 4] != 0).all())
