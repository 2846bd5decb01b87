"""A process reports its models every two seconds, from one of its subtasks, and counts anew from there."""

from prometheus_client import CollectorRegistry

from contracts.metrics import Metrics
from stream.jobs.model_reports import EVERY_MS, ModelReports
from stream.rollout import Tally
from stream.vision import ModelSlot, SessionOptions
from tests.builders import DATA, manifest_of
from tests.rollout_tools import box, promoted


def test_a_report_is_due_every_two_seconds():
    now_ms = [1_000_000]
    slot = ModelSlot(SessionOptions(device="cpu"), Metrics(CollectorRegistry()), lambda: now_ms[0])
    slot.swap(manifest_of(DATA / "bright_boxes.onnx"), DATA)
    slot.take(promoted("bright_boxes@2", 999_000, stage="canary", cameras=("gate",)))
    slot.settle()
    tally = Tally()
    reports = ModelReports(slot, tally, lambda: now_ms[0])
    found = []
    for _ in range(21):
        tally.served("gate", "bright_boxes@2", 0.01, [box()])
        found += [reports.due("site"), reports.due("site")]
        now_ms[0] += EVERY_MS // 10
    due = [one for one in found if one is not None]
    assert [(one.at_ms, sum(model.frames for model in one.served)) for one in due] == [
        (1_000_000, 1),
        (1_000_000 + EVERY_MS, 10),
        (1_000_000 + 2 * EVERY_MS, 10),
    ]
    assert {(one.in_service, one.candidate, one.stage, one.version, one.state) for one in due} == {
        ("bright_boxes@1", "bright_boxes@2", "canary", 999_000, "ready")
    }
