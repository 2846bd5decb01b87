"""Gathers the pictures of all subtasks of a process into batches for a GPU; on a CPU it stays out of the way."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from contracts.metrics import BATCH_SIZE, INFERENCE, Metrics
from stream.vision.heads import Outputs
from stream.vision.image import Picture


class Model(Protocol):
    """What the batcher knows of a session. `batch_limit` None: any number."""

    @property
    def on_gpu(self) -> bool: ...
    @property
    def batch_limit(self) -> int | None: ...
    def infer(self, pictures: list[Picture]) -> list[Outputs]: ...


@dataclass(frozen=True)
class BatchConfig:
    """`batch_max` pictures at most run together, the first of which waits `batch_wait_ms` at most for the others.

    `force` gathers batches on a CPU too, where that gains nothing but shows the same behaviour.
    """

    batch_max: int = 8
    batch_wait_ms: float = 3.0
    force: bool = False


@dataclass(frozen=True)
class _Item:
    model: Model
    picture: Picture
    since_s: float
    answer: Future[Outputs]


class Batcher:
    """Threads call `infer` and wait; one thread of the batcher's own runs the batches."""

    def __init__(self, config: BatchConfig, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._changed = threading.Condition()
        self._waiting: deque[_Item] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def infer(self, model: Model, picture: Picture) -> Outputs:
        """The model's outputs for one picture uint8[H,W,3]; raises what the model raised for this picture."""
        if not (model.on_gpu or self._config.force):
            return self._run(model, [picture])[0]
        item = _Item(model, picture, time.monotonic(), Future())
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
                self._thread.start()
            self._waiting.append(item)
            self._changed.notify()
        return item.answer.result()

    @property
    def waiting(self) -> int:
        """How many pictures wait for their run."""
        return len(self._waiting)

    def close(self) -> None:
        """Answer what waits, then end; later calls of `infer` on a GPU raise RuntimeError."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        while batch := self._next_batch():
            self._answer(batch)

    def _next_batch(self) -> list[_Item]:
        """Wait for pictures of one model, as many as fit; empty once closed and answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return []
            first = self._waiting[0]
            model = first.model
            size = min(self._config.batch_max, model.batch_limit or self._config.batch_max)
            patience_s = first.since_s + self._config.batch_wait_ms / 1000 - time.monotonic()
            self._changed.wait_for(lambda: len(self._waiting) >= size or self._closed, timeout=max(0.0, patience_s))
            batch: list[_Item] = []
            while self._waiting and self._waiting[0].model is model and len(batch) < size:
                batch.append(self._waiting.popleft())
            return batch

    def _answer(self, batch: list[_Item]) -> None:
        try:
            outputs = self._run(batch[0].model, [item.picture for item in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the submitter
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for item in batch:  # alone, each gets its own answer or its own error
                self._answer([item])
            return
        for item, output in zip(batch, outputs, strict=True):
            item.answer.set_result(output)

    def _run(self, model: Model, pictures: list[Picture]) -> list[Outputs]:
        started = time.perf_counter()
        outputs = model.infer(pictures)
        if len(outputs) != len(pictures):
            raise ValueError(f"{len(outputs)} outputs for {len(pictures)} pictures")
        self._metrics.histogram(INFERENCE).observe(time.perf_counter() - started)
        self._metrics.histogram(BATCH_SIZE).observe(len(pictures))
        return outputs
