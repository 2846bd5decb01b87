"""Promotions are opened before their time and let go after it; what can't be used leaves the others in service."""

import pytest
from prometheus_client import CollectorRegistry

from contracts.controls import WATCH_MS
from contracts.errors import ModelError
from contracts.metrics import Metrics
from stream.vision.session import SessionOptions
from stream.vision.slot import LINGER_MS, MOST_FAILURES, ModelSlot
from tests.builders import DATA, manifest_of
from tests.rollout_tools import ended, frame_at, promoted, version_of

T0_MS = 1_000_000


class Clock:
    """Moved by hand."""

    def __init__(self):
        self.now_ms = T0_MS

    def __call__(self):
        return self.now_ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def slot(clock, registry):
    """One that began with base@1."""
    slot = ModelSlot(SessionOptions(device="cpu"), Metrics(registry), clock)
    slot.swap(manifest_of(DATA / "bright_boxes.onnx", name="base"), DATA)
    return slot


def put(slot, *controls):
    for one in controls:
        slot.take(one)
    slot.settle()


def serving(slot, at_ms, camera="gate"):
    return slot.choose(frame_at(at_ms, camera)).choice.serves.manifest.id


def held(slot):
    return {session.manifest.id for session in slot.choose(frame_at(T0_MS)).sessions.values()}


def test_a_promotion_is_open_before_its_time_and_takes_over_at_it(slot):
    put(slot, promoted("bright_boxes@2", T0_MS + 5_000))
    assert held(slot) == {"base@1", "bright_boxes@2"}
    assert serving(slot, T0_MS + 4_999) == "base@1"
    assert serving(slot, T0_MS + 5_000) == "bright_boxes@2"


def test_the_old_one_is_let_go_when_no_frame_can_want_it(slot, clock):
    put(slot, promoted("bright_boxes@2", T0_MS + 5_000))
    clock.now_ms = T0_MS + 5_000 + LINGER_MS
    serving(slot, T0_MS)  # a late frame: its model stays
    slot.tidy()
    assert held(slot) == {"base@1", "bright_boxes@2"}
    clock.now_ms += LINGER_MS + 1
    serving(slot, clock.now_ms)
    slot.tidy()
    assert held(slot) == {"bright_boxes@2"}
    assert serving(slot, T0_MS) == "bright_boxes@2"  # a frame from before all that is held


def test_the_one_before_is_kept_for_as_long_as_it_may_come_back(slot, clock):
    put(slot, promoted("bright_boxes@2", T0_MS, before=version_of("bright_boxes@1", "base")))
    clock.now_ms += WATCH_MS + LINGER_MS - 1
    slot.tidy()
    assert held(slot) == {"base@1", "bright_boxes@2"}
    clock.now_ms += 1
    slot.tidy()
    assert held(slot) == {"bright_boxes@2"}


def test_many_promotions_hold_few_sessions(slot, clock, registry):
    for number in range(20):
        clock.now_ms += 1_000
        put(slot, promoted(f"bright_boxes@{number}", clock.now_ms))
        serving(slot, clock.now_ms)
    assert len(held(slot)) <= 5
    assert registry.get_sample_value("vedette_model_swaps_total", {"outcome": "taken"}) == 21


def test_two_models_in_turn_are_opened_once_each(slot, clock, registry):
    for number in range(10):
        clock.now_ms += 1_000
        put(slot, promoted(f"bright_boxes@{number % 2}", clock.now_ms))
    assert registry.get_sample_value("vedette_model_swaps_total", {"outcome": "taken"}) == 3


@pytest.mark.parametrize("stage", ["everywhere", "canary", "shadow"])
def test_what_does_not_open_is_refused_and_said(slot, tmp_path, stage):
    put(slot, promoted("bright_boxes@2", T0_MS, stage=stage, folder=tmp_path))
    assert serving(slot, T0_MS) == "base@1"
    assert slot.get().manifest.id == "base@1"
    status = slot.status()
    assert (status.in_service, status.state) == ("base@1", "refused")
    assert "No such file" in status.reason


def test_the_one_before_a_refused_one_serves_though_both_came_together(slot, tmp_path):
    put(slot, promoted("bright_boxes@2", 1_000, 1), promoted("bright_boxes@3", 1_000, 2, folder=tmp_path))
    assert serving(slot, T0_MS) == "bright_boxes@2"
    assert held(slot) == {"base@1", "bright_boxes@2"}


def test_what_was_refused_is_tried_again_when_it_is_promoted_again(slot, tmp_path):
    put(slot, promoted("bright_boxes@2", T0_MS, folder=tmp_path))
    (tmp_path / "bright_boxes.onnx").write_bytes((DATA / "bright_boxes.onnx").read_bytes())
    put(slot)
    assert serving(slot, T0_MS) == "base@1"
    put(slot, promoted("bright_boxes@2", T0_MS + 1, folder=tmp_path))
    assert serving(slot, T0_MS + 1) == "bright_boxes@2"


@pytest.mark.parametrize(("stage", "left"), [("everywhere", "base@1"), ("canary", "base@1")])
def test_a_model_that_fails_in_a_row_is_used_no_more(slot, registry, stage, left):
    put(slot, promoted("bright_boxes@2", T0_MS, stage=stage))
    bad = slot.choose(frame_at(T0_MS)).choice.serves
    for number in range(MOST_FAILURES):
        assert serving(slot, T0_MS) == "bright_boxes@2", number
        slot.failed(bad, ValueError("no"))
    assert serving(slot, T0_MS) == left
    assert (slot.status().state, slot.status().reason) == ("failing", "bright_boxes@2 failed on a frame: no")
    labels = {"name": "bright_boxes", "version": "2"}
    assert registry.get_sample_value("vedette_model_errors_total", labels) == MOST_FAILURES
    assert registry.get_sample_value("vedette_model_swaps_total", {"outcome": "barred"}) == 1


def test_a_failure_now_and_then_bars_nothing(slot):
    put(slot, promoted("bright_boxes@2", T0_MS))
    now_and_then = slot.choose(frame_at(T0_MS)).choice.serves
    for _ in range(10):
        slot.failed(now_and_then, ValueError("no"))
        slot.worked(now_and_then)
    assert serving(slot, T0_MS) == "bright_boxes@2"


def test_the_only_model_is_never_barred_out_of_service(slot):
    only = slot.choose(frame_at(T0_MS)).choice.serves
    for _ in range(10):
        slot.failed(only, ValueError("no"))
    assert serving(slot, T0_MS) == "base@1"
    assert slot.get().manifest.id == "base@1"
    assert slot.status().state == "failing"


def test_the_status_and_the_metrics_name_the_candidate(slot, clock, registry):
    put(slot, promoted("bright_boxes@2", T0_MS, stage="canary", cameras=("gate",)))
    status = slot.status()
    assert (status.in_service, status.candidate, status.stage, status.version, status.state) == (
        *("base@1", "bright_boxes@2", "canary", T0_MS, "ready"),
    )
    labels = {"name": "bright_boxes", "version": "2", "stage": "canary"}
    assert registry.get_sample_value("vedette_model_candidate", labels) == 1
    clock.now_ms += 1_000
    put(slot, ended("bright_boxes@2", clock.now_ms))
    assert slot.status().candidate == ""
    assert registry.get_sample_value("vedette_model_candidate", labels) == 0


def test_a_slot_that_has_not_begun_chooses_nothing(registry):
    slot = ModelSlot(SessionOptions(device="cpu"), Metrics(registry))
    with pytest.raises(ModelError, match="no model is in service yet"):
        slot.choose(frame_at(T0_MS))
