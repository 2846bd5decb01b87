"""Notices that a camera no longer shows what it used to, by how sure the detector is of tracks and by how they look.

Each track counts once, and one a minute: what is seen of one thing, or of one crowd, says the same many times. 25 of
them are a block. The first 32 blocks of a part of the day are its reference, so several days, and what differs between
those is usual. A newer block has a p-value: its rank, among all, in distance from the others, which asks for no
distribution (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005). Bets against the p-values are
multiplied, and begin anew where they have lost (Volkhonskiy et al., "Inductive Conformal Martingales for Change-Point
Detection", PMLR 60, 2017): while blocks are exchangeable, odds of N come once in N blocks at most.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.config import Drift
from contracts.drift import Sign, Signal
from stream.drift.features import Features
from stream.geometry import Floats

BET = 0.3
"""p bets BET * p ** (BET - 1), whose mean over all p is 1. Of 33 blocks the farthest wins most at 1 / ln 33."""
MOST_ODDS = 1e12
STORED = np.dtype("<f4")


class Sample(NamedTuple):
    """A track that has ended: its mean confidence, and its mean looks as little-endian float16, or empty."""

    at_ms: int
    model: str
    confidence: float
    looks: bytes


class Block(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The points of so many tracks, summed: float32[20] and float32[192] or empty."""

    tracks: int = 0
    confidence: bytes = b""
    looks: bytes = b""


class PartState(msgspec.Struct, frozen=True, array_like=True):
    """One part of the day at one camera; `won` is the logarithm of the odds by each of a block's points."""

    v: int = 1
    model: str = ""
    length: int = 0
    last_at_ms: int = 0
    open: Block = Block()
    reference: tuple[Block, ...] = ()
    won: tuple[float, float] = (0.0, 0.0)


class Word(NamedTuple):
    """What a block leads to: `learnt` of the reference, and from when it is whole on how the newest block differs."""

    learnt: int
    signals: tuple[Signal, ...] = ()
    confidence: float = 0.0
    usual_confidence: float = 0.0


class DriftWatch:
    """Pure: a part's state and a track in, the state and what its block says out."""

    def __init__(self, config: Drift) -> None:
        self.config = config

    def step(self, state: PartState, sample: Sample) -> tuple[PartState, Word | None]:
        """Take a track in. Another model begins anew: its confidences and looks mean other things."""
        looks = np.frombuffer(sample.looks, "<f2").astype(np.float64)
        if sample.model != state.model or len(looks) > state.length:
            state = PartState(model=sample.model, length=len(looks))
        if len(looks) < state.length or sample.at_ms < state.last_at_ms + 1000 * self.config.apart_s:
            return state, None
        points = Features(state.length)
        block = Block(
            state.open.tracks + 1,
            _added(state.open.confidence, points.of_confidence(sample.confidence)),
            _added(state.open.looks, points.of_looks(looks)),
        )
        state = msgspec.structs.replace(state, last_at_ms=sample.at_ms, open=block)
        return (state, None) if block.tracks < self.config.tracks else self._closed(state)

    def _closed(self, state: PartState) -> tuple[PartState, Word]:
        """The open block is full: it is learnt, or held against what was."""
        state, block = msgspec.structs.replace(state, open=Block()), state.open
        if len(state.reference) < self.config.blocks:
            state = msgspec.structs.replace(state, reference=(*state.reference, block))
            return state, Word(len(state.reference))
        confidences = _means([one.confidence for one in (*state.reference, block)], block.tracks)
        looks = _means([one.looks for one in (*state.reference, block)], block.tracks)
        confidence, won = self._signal("confidence", confidences, state.won[0])
        appearance, won_looks = self._signal("appearance", looks, state.won[1])
        word = Word(
            learnt=len(state.reference),
            signals=(confidence, appearance) if state.length else (confidence,),
            confidence=Features.mean_confidence(confidences[-1]),
            usual_confidence=Features.mean_confidence(confidences[:-1].mean(axis=0)),
        )
        return msgspec.structs.replace(state, won=(won, won_looks)), word

    def _signal(self, of: Sign, means: Floats, won: float) -> tuple[Signal, float]:
        """What the last of the blocks' means [N,F] says, and the logarithm of the odds with it."""
        distances = _apart(means)
        p = float((distances >= distances[-1]).mean())
        enough = math.log(self.config.odds)
        # Bounded above, so that what is as it was again is believed after as many blocks as it took to doubt it.
        won = min(max(won, 0.0) + math.log(BET) + (BET - 1.0) * math.log(p), 2 * enough)
        signal = Signal(
            of=of,
            distance=float(distances[-1]),
            usual=float(np.median(distances[:-1])),
            evidence=min(math.exp(max(won, 0.0)), MOST_ODDS),
            drifted=won >= enough,
        )
        return signal, won


def _added(before: bytes, point: Floats) -> bytes:
    sums = np.frombuffer(before, STORED) if before else np.zeros(len(point))
    return (sums + point).astype(STORED).tobytes()


def _means(sums: list[bytes], tracks: int) -> Floats:
    """float64[N,F]: the blocks' mean points."""
    rows: list[NDArray[np.float64]] = [np.frombuffer(one, STORED).astype(np.float64) for one in sums]
    return np.stack(rows) / tracks


def _apart(means: Floats) -> Floats:
    """The squared distance [N] of each block from the mean of all others."""
    count = len(means)
    differences = (count * means - means.sum(axis=0)) / (count - 1)
    return np.asarray((differences**2).sum(axis=1))
