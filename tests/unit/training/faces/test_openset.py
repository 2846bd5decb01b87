"""Open-set identification with derived thresholds and over tracks, on people whose geometry is known exactly."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream.identity import Calibration
from stream.identity.calibrate import calibrate
from stream.identity.cohort import NOBODY
from tests.unit.stream.identity import people as world
from training.faces.clips import FaceTrack, gallery_of, halves, strangers, upper_bound
from training.faces.evaluate import Views
from training.faces.fused import Passing, fusion_gain
from training.faces.metric import within_people
from training.faces.openset import ALLOWED, open_set, write_open_set

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    rng = np.random.default_rng(1)
    known = world.directions(300, rng)
    return calibrate(world.tracks(known, 8, 0.2, 0.9, rng), world.pictures(known, 2, 0.8, rng), NOBODY)


def passers_by(count: int, each: int, low: float, high: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Directions [P,D], looks [P,L,D] and their qualities [P,L]."""
    directions = world.directions(count, rng)
    qualities = rng.uniform(low, high, (count, each))
    seen = [world.looks(one, q, rng, 0.3) for one, q in zip(directions, qualities, strict=True)]
    return directions, np.stack(seen), qualities


def test_the_derived_threshold_names_as_many_strangers_as_wanted(calibration: Calibration, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    directions, seen, qualities = passers_by(700, 2, 0.7, 0.8, rng)
    persons = np.repeat(np.arange(700), 2)
    clean = np.concatenate([world.looks(one, np.full(2, 0.8), rng) for one in directions])
    views = Views(
        {"clean": clean, "poor": seen.reshape(-1, world.D)},
        {"clean": np.full(1400, 0.8), "poor": qualities.ravel()},
        clean,
        NOBODY,
    )
    results = open_set(views, persons, calibration, sizes=(20, 100))
    assert [(one.look, one.enrolled, one.mates, one.strangers) for one in results][-1] == ("poor", 100, 100, 600)
    for one in results:
        assert ALLOWED[0] <= one.named.mean <= ALLOWED[1], one
        assert one.misses[0].mean >= one.misses[-1].mean
        assert one.misses_at_wanted.low <= one.misses_at_wanted.mean <= one.misses_at_wanted.high
    assert write_open_set(results, tmp_path) == ["open-set.png"]
    assert len(msgspec.json.decode((tmp_path / "open-set.json").read_bytes())) == 4
    assert (tmp_path / "open-set.md").read_text().count("\n| poor") == 2


def test_fused_looks_halve_the_misses_of_single_ones(calibration: Calibration) -> None:
    rng = np.random.default_rng(3)
    directions, seen, qualities = passers_by(700, 10, 0.4, 0.6, rng)
    pictures = np.concatenate([world.looks(one, np.full(1, 0.8), rng) for one in directions])
    known = np.arange(700) < 250
    gain = fusion_gain(Passing(seen, qualities, pictures, known), calibration, NOBODY, splits=1)
    assert gain.fused.mean <= gain.single.mean / 2
    assert gain.named.mean <= ALLOWED[1]


def test_a_stranger_who_takes_a_track_over_hardly_ever_keeps_its_name(calibration: Calibration) -> None:
    rng = np.random.default_rng(5)
    directions, seen, qualities = passers_by(700, 10, 0.75, 0.85, rng)
    pictures = np.concatenate([world.looks(one, np.full(1, 0.8), rng) for one in directions])
    gain = fusion_gain(Passing(seen, qualities, pictures, np.arange(700) < 250), calibration, NOBODY, splits=1)
    assert gain.missed.mean < 0.05
    assert gain.lent.mean <= 0.06


def test_who_is_enrolled_is_a_named_stranger_and_nobody_else_is(calibration: Calibration) -> None:
    rng = np.random.default_rng(4)
    # Sixty-two people at right angles: nobody is like anybody else.
    directions = world.unit(np.linalg.qr(rng.normal(0, 1, (world.D, 62)))[0].T)
    qualities = rng.uniform(0.85, 0.95, (12, 8))
    seen = [world.looks(one, q, rng) for one, q in zip(directions, qualities, strict=False)]
    tracks = [FaceTrack("clip", k, seen[k], qualities[k]) for k in range(12)]
    others = directions[12:]
    nobody = strangers(tracks, gallery_of(others, [f"p{k}" for k in range(50)], NOBODY), calibration)
    assert (nobody.tracks, nobody.looks, nobody.by_clip, nobody.named) == (12, 96, {"clip": 12}, ())
    one = strangers(
        tracks, gallery_of(np.stack([directions[5], *others]), [f"p{k}" for k in range(51)], NOBODY), calibration
    )
    assert one.named == ("clip/5: p0",)
    cut = halves(tracks, others, calibration, NOBODY)
    assert (cut.tracks, cut.looks, cut.others) == (12, 48, 0)
    assert cut.fused <= cut.single


@pytest.mark.parametrize(
    ("events", "trials", "bound"),
    [(0, 100, 0.0295), (0, 300, 0.00994), (1, 100, 0.0466), (3, 3, 1.0)],  # Clopper-Pearson's, one-sided, 95 %
)
def test_the_upper_bound_of_a_rate(events: int, trials: int, bound: float) -> None:
    assert upper_bound(events, trials) == pytest.approx(bound, abs=1e-3)


def test_the_metric_makes_a_noisy_direction_count_less() -> None:
    rng = np.random.default_rng(5)
    middles = world.directions(400, rng)
    noise = rng.normal(0, 0.02, middles.shape)
    noise[:, 0] *= 20
    matrix, shift = within_people(world.unit(middles + noise), middles)
    assert matrix[0, 0] < 0.5 * np.median(np.diag(matrix))
    vectors = world.unit(middles + noise)
    np.testing.assert_allclose((vectors @ matrix.T + shift).mean(0), 0, atol=1e-5)
