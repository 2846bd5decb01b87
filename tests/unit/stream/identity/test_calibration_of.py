"""The calibration in an embedder's manifest: what is there comes back, what is missing or broken is refused by name."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from contracts.errors import ModelError
from contracts.manifest import ModelManifest, ScoreCalibration, ScoreLevel, ScoreTail
from stream.identity import Calibration, calibration_of
from stream.identity.calibrate import calibrate
from tests.builders import manifest_of
from tests.unit.stream.identity import people as world

MODEL = Path(__file__).resolve().parents[3] / "data" / "bright_boxes.onnx"


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    rng = np.random.default_rng(1)
    known = world.directions(120, rng)
    return calibrate(world.tracks(known, 4, 0.2, 0.9, rng), world.pictures(known, 2, 0.8, rng))


def test_what_was_measured_comes_back(calibration: Calibration) -> None:
    manifest = manifest_of(MODEL, task="face-embedder", calibration=calibration)
    sent = msgspec.json.decode(msgspec.json.encode(manifest), type=ModelManifest)
    assert calibration_of(sent) == calibration


def measured(**changes: object) -> ScoreCalibration:
    tail = ScoreTail(start=0.3, share=0.01, scale=0.04, shape=0.1)
    level = ScoreLevel(strength=0.5, impostors=tail, genuine_mean=0.6, genuine_std=0.1)
    values = {"qualities": (0.4, 0.5), "cosines": (0.1, 0.2), "levels": (level,), "correlation": 0.3}
    return ScoreCalibration(**(values | changes))


@pytest.mark.parametrize(
    ("calibration", "reason"),
    [
        (None, "holds no calibration"),
        (measured(qualities=(0.5, 0.4)), "qualities must rise"),
        (measured(cosines=(0.1,)), "with a cosine each"),
        (measured(levels=()), "strengths must rise"),
    ],
)
def test_without_a_usable_one_nobody_is_identified(calibration: ScoreCalibration | None, reason: str) -> None:
    manifest = manifest_of(MODEL, name="faces", version="2", task="face-embedder", calibration=calibration)
    with pytest.raises(ModelError, match=f"faces@2.*{reason}"):
        calibration_of(manifest)
