"""Builders of what a roll-out is told: promotions, ends of candidates, frames and reports."""

from msgspec.structs import replace

from contracts.controls import Control, EndCandidate, SetModel
from contracts.messages import Detection, Frame
from contracts.model_reports import Compared, ModelReport, Served
from tests.builders import DATA, jpeg_of, manifest_of, solid
from tests.golden.samples import SAMPLES

RED = (0, 0, 250)


def promoted(model, from_ms, version=None, stage="everywhere", *, folder=DATA, name=None, **changes):
    """`model` is the stem of one of the tiny models; its id is name@version of the manifest, `bright_boxes@2`."""
    change = SetModel(manifest=version_of(model, name), folder=str(folder), stage=stage, **changes)
    return control(change, from_ms, version)


def version_of(model, name=None):
    """The manifest of one of the tiny models, by the id that it is to have."""
    stem, _, number = model.partition("@")
    return manifest_of(DATA / f"{stem}.onnx", version=number or "1", name=name or stem)


def ended(model, from_ms, version=None, **changes):
    """The candidate with this id is taken back."""
    change = EndCandidate(task="detector", model=model, by="ann", reason="no better", **changes)
    return control(change, from_ms, version)


def control(change, from_ms, version=None):
    """A version is the time, as the console makes it, unless it is given."""
    return Control(
        site="site",
        origin="console",
        version=from_ms if version is None else version,
        effective_from_ms=from_ms,
        change=change,
    )


def frame_at(at_ms, camera="gate", *, index=0, bright=True, **changes):
    """A frame of 64x64 px with somebody in each of its 16 cells, or nobody."""
    values = {
        "site": "site",
        "camera": camera,
        "session": 1,
        "index": index,
        "captured_at_ms": at_ms,
        "width": 64,
        "height": 64,
        "detail": False,
        "motion": 0.0,
        "sha256": "",
        "jpeg": jpeg_of(solid(64, 64, RED if bright else (0, 0, 0))),
    }
    return Frame(**(values | changes))


def box(label="person", x=0, confidence=0.9, side=10):
    """A square whose left edge is at x."""
    return Detection(xyxy=(x, 0, x + side, side), confidence=confidence, label=label)


def report(at_ms=1_000, version=9, candidate="new@2", served=(), compared=(), **changes):
    """What a process says while `candidate` is a canary at the gate."""
    values = {"site": "site", "process": "p", "in_service": "old@1", "stage": "canary"}
    return ModelReport(
        at_ms=at_ms,
        version=version,
        candidate=candidate,
        served=tuple(Served(**({"camera": "gate", "model": candidate} | one)) for one in served),
        compared=tuple(
            Compared(**({"camera": "gate", "candidate": candidate, "in_service": "old@1"} | one)) for one in compared
        ),
        **(values | changes),
    )


def alert(at_ms=1_000, model="old@1", camera="gate", **changes):
    """A new alert made of a model's boxes."""
    told = {"at_ms": at_ms, "model": model, "camera": camera, "state": "new", "late": False}
    return replace(SAMPLES["alert"], **(told | changes))


def answer(number, verdict, model="old@1"):
    """An operator's verdict on the alert with this number."""
    return replace(SAMPLES["feedback"], action="verdict", alert=f"alert-{number}", verdict=verdict, model=model)
