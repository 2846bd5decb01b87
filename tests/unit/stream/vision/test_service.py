"""Whatever a candidate does, each frame is detected once; what it saw otherwise is counted beside."""

import threading

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from contracts.errors import ContractError
from contracts.metrics import Metrics
from stream.rollout import Tally
from stream.vision import BatchConfig, Batcher, Beside, Detector, DetectService, ModelSlot, SessionOptions
from stream.vision.beside import DUTY, Comparison
from tests.builders import DATA, manifest_of
from tests.rollout_tools import ended, frame_at, promoted, version_of

T0_MS = 1_000_000


class Bench:
    """A service that began with base@1, and what it counts."""

    def __init__(self):
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        self.slot = ModelSlot(SessionOptions(device="cpu"), metrics, lambda: T0_MS)
        self.slot.swap(manifest_of(DATA / "bright_boxes.onnx", name="base"), DATA)
        self.tally = Tally()
        self.beside = Beside(clock=lambda: 0.0)  # no rest: what was taken took no time
        detector = Detector(self.slot, Batcher(BatchConfig(), metrics))
        self.service = DetectService(self.slot, detector, self.beside, self.tally, metrics)

    def put(self, model, stage, **changes):
        self.slot.take(promoted(model, T0_MS, stage=stage, share=1.0, **changes))
        self.slot.settle()

    def detect(self, index=0, **changes):
        return self.service.detect(frame_at(T0_MS, index=index, **changes))

    def counted(self):
        """(served by model, compared), once what is beside is done."""
        self.beside.close()
        served, compared = self.tally.drain()
        return {one.model: (one.frames, one.errors) for one in served}, compared

    def value(self, name, **labels):
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def bench():
    return Bench()


def test_a_shadow_tells_nobody_and_is_counted(bench):
    bench.put("bright_blind@2", "shadow")
    found = bench.detect()
    assert (found.model, len(found.detections)) == ("base@1", 16)
    served, (compared,) = bench.counted()
    assert served == {"base@1": (1, 0)}
    assert (compared.candidate, compared.in_service) == ("bright_blind@2", "base@1")
    assert (compared.frames, compared.boxes, compared.lost) == (1, {"red": 16}, {"red": 16})
    assert bench.value("vedette_model_differences_total", camera="gate", label="red", change="lost") == 16
    assert bench.value("vedette_model_compared_frames_total", camera="gate", outcome="compared") == 1


def test_a_canary_serves_its_cameras_and_is_held_against_what_was(bench):
    bench.put("bright_blind@2", "canary", cameras=("gate",))
    at_the_gate, elsewhere = bench.detect(), bench.detect(camera="yard")
    assert (at_the_gate.model, at_the_gate.detections) == ("bright_blind@2", ())
    assert (elsewhere.model, len(elsewhere.detections)) == ("base@1", 16)
    _, (compared,) = bench.counted()
    assert (compared.camera, compared.candidate, compared.lost) == ("gate", "bright_blind@2", {"red": 16})


def test_what_went_everywhere_is_held_against_the_one_before_until_it_is_taken_back(bench):
    bench.put("bright_blind@2", "everywhere", before=version_of("bright_boxes@1", "base"))
    assert bench.detect(camera="yard").model == "bright_blind@2"
    _, (compared,) = bench.counted()
    assert (compared.candidate, compared.in_service, compared.lost) == ("bright_blind@2", "base@1", {"red": 16})
    status = bench.slot.status()
    assert (status.in_service, status.candidate, status.watched) == ("bright_blind@2", "", "bright_blind@2")
    bench.slot.take(ended("bright_blind@2", T0_MS, T0_MS + 1, in_service=True))
    bench.slot.settle()
    assert bench.detect().model == "base@1"
    assert bench.slot.status().watched == ""


@pytest.mark.parametrize("stage", ["canary", "everywhere"])
def test_frames_that_a_model_fails_on_are_the_other_ones(bench, stage):
    bench.put("bright_raising@2", stage)
    found = [bench.detect(index) for index in range(10)]
    assert {(one.model, len(one.detections)) for one in found} == {("base@1", 16)}
    served, compared = bench.counted()
    assert served == {"base@1": (10, 0), "bright_raising@2": (0, 3)}  # after three it is asked no more
    assert compared == ()
    assert bench.slot.status().state == "failing"


def test_a_model_that_fails_now_and_then_serves_the_rest(bench):
    bench.put("bright_raising@2", "canary")
    found = [bench.detect(index, bright=index % 2 == 0) for index in range(10)]
    assert [one.model for one in found] == ["base@1", "bright_raising@2"] * 5


def test_a_shadow_that_fails_delays_and_changes_nothing(bench):
    bench.put("bright_raising@2", "shadow")
    assert len(bench.detect().detections) == 16
    _, (compared,) = bench.counted()
    assert (compared.frames, compared.errors) == (0, 1)
    assert bench.slot.status().state == "failing"


def test_what_every_model_fails_on_is_the_callers(bench):
    bench.put("bright_raising@2", "canary")
    with pytest.raises(ContractError):
        bench.service.detect(replace(frame_at(T0_MS), jpeg=b"none"))
    assert bench.counted() == ({}, ())  # it is the picture's fault


def test_thresholds_are_those_of_the_model_that_found(bench):
    control = promoted("bright_boxes@2", T0_MS, stage="canary", cameras=("gate",))
    manifest = replace(control.change.manifest, thresholds={"default": 0.4, "red": 0.7})
    bench.slot.take(replace(control, change=replace(control.change, manifest=manifest)))
    bench.slot.settle()
    assert bench.detect().thresholds == {"red": 0.7}
    assert bench.detect(camera="yard").thresholds == {}


def test_what_there_is_no_time_for_is_not_compared():
    """While one frame is looked at, others are left; then it rests in proportion to what that took."""
    now_s = [0.0]
    beside, begun, go_on, done = Beside(lambda: now_s[0]), threading.Event(), threading.Event(), []

    def look(frame):
        begun.set()
        go_on.wait(10)
        now_s[0] += 1.0
        return (), 1.0

    comparison = Comparison(frame_at(0), look, lambda *found: done.append(found), done.append)
    assert beside.offer(comparison)
    assert begun.wait(10)
    assert not beside.offer(comparison)
    go_on.set()
    beside.close()
    assert done == [((), 1.0)]
    rested = Beside(lambda: now_s[0])
    rested._rests_until_s = now_s[0] + 1.0 / DUTY
    assert not rested.offer(comparison)
    now_s[0] += 1.0 / DUTY
    assert rested.offer(comparison)
    rested.close()
