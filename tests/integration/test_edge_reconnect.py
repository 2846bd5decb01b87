"""A thousand reconnects to a real camera over HTTP leave no file, thread or memory behind."""

from __future__ import annotations

import gc
import random
import threading
import time

import psutil
import pytest

from contracts.config import Input
from edge.capture import OpenCvCapture
from edge.reader import Backoff, Ends, Reader
from edge.source import Shot, Timing
from tests.edge_tools import MjpegServer
from tests.waiting import wait_until

RECONNECTS = 1000


@pytest.mark.timeout(280)
def test_no_leak_over_a_thousand_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FFMPEG_LOGLEVEL", "-8")  # a line for each end of a stream
    seen: list[int] = []
    process = psutil.Process()

    def take(shot: Shot) -> None:
        seen.append(shot.picture().shape[0])

    def used() -> tuple[int, int, float]:
        gc.collect()
        return process.num_fds(), threading.active_count(), process.memory_info().rss / 1e6

    with MjpegServer(3, fps=0) as server:
        ends = Ends(
            open_capture=OpenCvCapture, secrets={}, timing=Timing(lambda: 0), chance=random.Random(1),
            backoff=Backoff(0.0001, 0.0001),
        )  # fmt: skip
        reader = Reader("gate", Input(url=server.url), ends, take, lambda: None)
        reader.start()
        wait_until(lambda: server.clients > 100, 100, "the first hundred, after which all caches are full")
        before = used()
        wait_until(lambda: server.clients > 100 + RECONNECTS, 250, "a thousand more")
        after = used()
        reader.stop()
        assert reader.join(10)
    time.sleep(0.2)
    fds, threads, megabytes = (b - a for a, b in zip(before, after, strict=True))
    print(f"{RECONNECTS} reconnects: {fds:+d} files, {threads:+d} threads, {megabytes:+.1f} MB")
    assert len(seen) > RECONNECTS
    # The connection under way and the server's side of it come and go; a leak would show a thousand times.
    assert abs(fds) <= 6
    assert abs(threads) <= 4
    assert megabytes < 15
