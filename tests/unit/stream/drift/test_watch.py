"""A camera that shows other things than its reference is noticed, by confidence or looks; one that doesn't is not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np
import pytest

from contracts.config import Drift
from stream.drift import DriftWatch, Features, PartState, Sample
from stream.drift.watch import Word
from stream.geometry import Floats

CONFIG = Drift(apart_s=0)
WATCH = DriftWatch(CONFIG)
BLOCKS = CONFIG.blocks * CONFIG.tracks
CENTRES = np.linalg.qr(np.random.RandomState(1).standard_normal((64, 64)))[0]
Scene = Callable[[np.random.RandomState], tuple[float, Floats]]


def scene(sure: float = 0.7, kinds: tuple[int, ...] = (0, 1, 2)) -> Scene:
    """Tracks of so many kinds of looks, of which the detector is about so sure."""

    def track(random: np.random.RandomState) -> tuple[float, Floats]:
        vector = CENTRES[random.choice(kinds)] + 0.08 * random.standard_normal(64)
        return float(np.clip(random.normal(sure, 0.1), 0, 1)), vector / np.linalg.norm(vector)

    return track


def samples(of: Scene, count: int, seed: int, *, model: str = "d@1", looks: bool = True) -> Iterator[Sample]:
    random = np.random.RandomState(seed)
    for number in range(count):
        confidence, vector = of(random)
        yield Sample(seed * 10**9 + number, model, confidence, vector.astype("<f2").tobytes() if looks else b"")


def after(given: Iterable[Sample], state: PartState | None = None) -> tuple[PartState, list[Word]]:
    """The state, and what all blocks say."""
    state, words = state or PartState(), []
    for one in given:
        state, word = WATCH.step(state, one)
        words += [] if word is None else [word]
    return state, words


@functools.cache
def learnt() -> PartState:
    """A whole reference."""
    state, words = after(samples(scene(), BLOCKS, 1))
    assert [word.learnt for word in words] == list(range(1, CONFIG.blocks + 1))
    return state


def drifted(words: Iterable[Word]) -> set[str]:
    return {one.of for word in words for one in word.signals if one.drifted}


@pytest.mark.parametrize(
    ("then", "signs"),
    [
        (scene(), set()),
        (scene(sure=0.6), {"confidence"}),
        (scene(sure=0.8), {"confidence"}),
        (scene(kinds=(3, 4, 5)), {"appearance"}),
        (scene(kinds=(0, 0, 0, 0, 1, 2)), {"appearance"}),
        (scene(sure=0.5, kinds=(3,)), {"confidence", "appearance"}),
    ],
    ids=["as before", "less sure", "surer", "other looks", "another mixture", "both"],
)
def test_what_is_no_longer_as_it_was_is_noticed_within_half_the_reference(then: Scene, signs: set[str]) -> None:
    _, words = after(samples(then, BLOCKS // 2, 2), learnt())
    assert drifted(words) == signs


def test_what_is_as_it_was_is_left_alone_for_long_and_what_is_so_again_is_believed() -> None:
    state, words = after(samples(scene(), 3 * BLOCKS, 2), learnt())
    assert drifted(words) == set()
    state, words = after(samples(scene(sure=0.5), BLOCKS // 2, 3), state)
    assert drifted(words[-1:]) == {"confidence"}
    assert words[-1].confidence == pytest.approx(0.5, abs=0.05)
    assert words[-1].usual_confidence == pytest.approx(0.7, abs=0.03)
    assert drifted(after(samples(scene(), 2 * BLOCKS, 4), state)[1][-1:]) == set()


def test_days_that_differ_anyway_are_no_drift() -> None:
    """Sure on sunny days, less so on others: a further such day is usual."""
    weather = [0.6, 0.75, 0.65, 0.7, 0.6, 0.75, 0.7, 0.65]
    each = BLOCKS // len(weather)
    state = PartState()
    for day, sure in enumerate(weather):
        state, _ = after(samples(scene(sure=sure), each, day), state)
    for day, sure in enumerate(weather):
        state, words = after(samples(scene(sure=sure), each, 20 + day), state)
        assert drifted(words) == set()


def test_one_track_in_a_while_counts() -> None:
    watch, state = DriftWatch(Drift(apart_s=60, tracks=2)), PartState()
    words = []
    for second in (0, 10, 59, 60, 119, 121, 181):
        state, word = watch.step(state, Sample(1_000_000 + 1000 * second, "d@1", 0.7, b""))
        words.append(word and word.learnt)
    assert words == [None, None, None, 1, None, None, 2]


def test_another_model_begins_anew_and_tracks_without_looks_are_passed_over() -> None:
    assert after(samples(scene(), 1, 2, looks=False), learnt()) == (learnt(), [])
    other, _ = after(samples(scene(), 1, 2, model="d@2"), learnt())
    assert (other.model, other.reference, other.open.tracks) == ("d@2", (), 1)
    first_without, _ = after(samples(scene(), 1, 1, looks=False))
    assert after(samples(scene(), 1, 2), first_without)[0].length == 64


def test_a_model_without_looks_is_watched_by_its_confidence() -> None:
    state, _ = after(samples(scene(), BLOCKS, 1, looks=False))
    _, words = after(samples(scene(sure=0.5), BLOCKS, 2, looks=False), state)
    assert drifted(words) == {"confidence"}
    assert {one.of for word in words for one in word.signals} == {"confidence"}


def test_the_state_is_bounded_and_survives_its_way_through_flink() -> None:
    state, _ = after(samples(scene(), CONFIG.tracks // 2, 2), learnt())
    kept = msgspec.msgpack.encode(state)
    assert len(kept) < 33 * 1024
    assert msgspec.msgpack.decode(kept, type=PartState) == state


def test_points_stand_for_a_kernel() -> None:
    """What random features give is the mean of the three Gaussian kernels, within what 32 frequencies each allow."""
    features = Features(64)
    for cosine in (1.0, 0.75, 0.1):
        other = cosine * CENTRES[0] + np.sqrt(1 - cosine**2) * CENTRES[1]
        squared = 2 - 2 * cosine
        kernel = np.mean([np.exp(-squared / (2 * width**2)) for width in (0.5, 1.0, 2.0)])
        assert features.of_looks(CENTRES[0]) @ features.of_looks(other) == pytest.approx(kernel, abs=0.15)
