"""Many threads, one model: every picture gets its own answer, its own error, and nobody waits for ever."""

import queue
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from contracts.metrics import Metrics
from stream.vision.batcher import BatchConfig, Batcher


class Doubling:
    """A model whose output is twice the picture's only number; 13 is more than it can bear."""

    def __init__(self, *, on_gpu=True, batch_limit=None, takes_s=0.0):
        self.on_gpu = on_gpu
        self.batch_limit = batch_limit
        self.takes_s = takes_s
        self.sizes = []
        self.threads = set()

    def infer(self, pictures):
        self.sizes.append(len(pictures))
        self.threads.add(threading.get_ident())
        time.sleep(self.takes_s)
        if any(int(picture) == 13 for picture in pictures):
            raise ValueError("thirteen")
        return [(2 * picture,) for picture in pictures]


def ask(batcher, model, number):
    """The model's answer for one number."""
    return int(batcher.infer(model, np.array(number))[0])


class Subtasks:
    """Threads that do what they are given; unlike an executor's they hold up nobody when one waits for ever."""

    def __init__(self, count):
        self.tasks = queue.SimpleQueue()
        for _ in range(count):
            threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            answer, call, args = self.tasks.get()
            try:
                answer.set_result(call(*args))
            except Exception as error:
                answer.set_exception(error)

    def submit(self, call, *args):
        answer = Future()
        self.tasks.put((answer, call, args))
        return answer

    def map(self, call, items):
        return [answer.result(timeout=30) for answer in [self.submit(call, item) for item in items]]


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def make(registry):
    """Batchers that are closed at the end."""
    made = []

    def build(**config):
        made.append(Batcher(BatchConfig(**config), Metrics(registry)))
        return made[-1]

    yield build
    for batcher in made:
        batcher.close()


def test_on_a_cpu_the_submitter_runs_its_own_picture(make):
    model = Doubling(on_gpu=False)
    assert ask(make(), model, 4) == 8
    assert model.threads == {threading.get_ident()}
    assert model.sizes == [1]


def test_eight_threads_and_thousands_of_pictures(make, registry):
    """Every answer belongs to its question; nothing is lost, nothing waits."""
    batcher, model = make(batch_max=8, batch_wait_ms=1.0), Doubling()
    pool = Subtasks(8)
    answers = pool.map(lambda number: ask(batcher, model, number), range(100, 8_100))
    assert answers == [2 * number for number in range(100, 8_100)]
    assert sum(model.sizes) == 8_000
    assert max(model.sizes) <= 8
    assert len(model.threads) == 1
    assert registry.get_sample_value("vedette_inference_batch_size_sum") == 8_000
    assert registry.get_sample_value("vedette_inference_seconds_count") == len(model.sizes)


def test_pictures_that_come_during_a_run_go_together(make):
    batcher, model = make(batch_max=8, batch_wait_ms=50.0), Doubling(takes_s=0.02)
    pool = Subtasks(8)
    pool.map(lambda number: ask(batcher, model, number), range(100, 180))
    assert np.mean(model.sizes) > 4


def test_a_full_batch_does_not_wait(make):
    batcher, model = make(batch_max=2, batch_wait_ms=60_000.0), Doubling()
    pool = Subtasks(2)
    assert pool.map(lambda number: ask(batcher, model, number), (1, 2)) == [2, 4]
    assert model.sizes == [2]


def test_a_lonely_picture_waits_no_longer_than_it_should(make):
    batcher, model = make(batch_max=8, batch_wait_ms=20.0), Doubling()
    started = time.perf_counter()
    ask(batcher, model, 1)
    assert 0.015 < time.perf_counter() - started < 5.0
    assert model.sizes == [1]


def test_an_error_reaches_its_submitter_alone(make):
    batcher, model = make(batch_max=4, batch_wait_ms=60_000.0), Doubling()
    pool = Subtasks(4)
    answers = [pool.submit(ask, batcher, model, number) for number in (1, 13, 3, 4)]
    assert [answers[place].result(timeout=30) for place in (0, 2, 3)] == [2, 6, 8]
    with pytest.raises(ValueError, match="thirteen"):
        answers[1].result(timeout=30)
    assert model.sizes == [4, 1, 1, 1, 1]  # together, then each alone


def test_a_model_that_answers_too_few_fails_everybody_and_hangs_nobody(make):
    class Short(Doubling):
        def infer(self, pictures):
            return super().infer(pictures)[1:]

    batcher = make(batch_max=2, batch_wait_ms=60_000.0)
    model = Short()
    pool = Subtasks(2)
    for answer in [pool.submit(ask, batcher, model, number) for number in (1, 2)]:
        with pytest.raises(ValueError, match="0 outputs for 1 pictures"):
            answer.result(timeout=10)
    assert ask(make(batch_max=1), Doubling(), 5) == 10


def test_a_batch_is_of_one_model(make):
    """Around a swap, pictures for the old and the new model wait in the same row."""
    batcher, old, new = make(batch_max=8, batch_wait_ms=5.0), Doubling(takes_s=0.005), Doubling(takes_s=0.005)
    pool = Subtasks(8)
    answers = pool.map(lambda number: ask(batcher, (old, new)[number % 2], number), range(100, 300))
    assert answers == [2 * number for number in range(100, 300)]
    assert sum(old.sizes) == sum(new.sizes) == 100


@pytest.mark.parametrize(("batch_max", "limit", "largest"), [(8, 1, 1), (8, 2, 2), (2, 8, 2)])
def test_the_smaller_limit_counts(make, batch_max, limit, largest):
    batcher, model = make(batch_max=batch_max, batch_wait_ms=20.0), Doubling(batch_limit=limit, takes_s=0.002)
    pool = Subtasks(8)
    pool.map(lambda number: ask(batcher, model, number), range(100, 200))
    assert max(model.sizes) == largest


def test_close_answers_what_waits_and_refuses_what_comes(make):
    batcher, model = make(batch_max=8, batch_wait_ms=60_000.0), Doubling()
    pool = Subtasks(1)
    waiting = pool.submit(ask, batcher, model, 1)
    while not batcher.waiting:
        time.sleep(0.001)
    batcher.close()
    assert waiting.result(timeout=10) == 2
    with pytest.raises(RuntimeError, match="closed"):
        ask(batcher, model, 2)
    batcher.close()  # twice is fine
    assert not [thread for thread in threading.enumerate() if thread.name == "batcher" and thread.is_alive()]


def test_a_batcher_that_never_ran_closes(make):
    make().close()
