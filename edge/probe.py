"""Opens an address once, as a camera would, and says what is there: a picture, or why there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from contracts.config import Input
from contracts.controls import ProbeCamera
from contracts.edge_messages import CameraProbe
from contracts.errors import CameraError
from edge.capture import Capture, OpenCapture, set_up_thread
from edge.encode import encode_jpeg
from edge.explain import why_no_picture
from edge.source import Timing, shots
from edge.urls import fill_secrets, redact

OPEN_S, READ_S, EXPLAIN_S = 5.0, 3.0, 2.0
LIMIT_S = 11.0
"""What hangs in spite of its time-outs (a name server, a driver) is answered for by then: their sum and a second."""
MAX_WIDTH = 640
QUALITY = 80
MAX_OPEN = 4
"""Probes at once; one that hangs holds a thread until its call comes back."""


@dataclass(frozen=True, kw_only=True)
class ProbeEnds:
    """What probes need of the outside; `answer` takes the results, from any thread."""

    site: str
    agent: str
    open_capture: OpenCapture
    secrets: Mapping[str, str]
    now_ms: Callable[[], int]
    answer: Callable[[CameraProbe], None]


class Prober:
    """Answers each question once, within `limit_s`."""

    def __init__(self, ends: ProbeEnds, limit_s: float = LIMIT_S) -> None:
        self._ends, self._limit_s = ends, limit_s
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: set[str] = set()

    def ask(self, asked: ProbeCamera) -> None:
        """Look, on a thread of its own."""
        with self._lock:
            busy = self._running >= MAX_OPEN
            if not busy:
                self._running += 1
                self._waiting.add(asked.id)
        if busy:
            self._ends.answer(self._failed(asked, time.monotonic(), f"{MAX_OPEN} other addresses are being tried"))
            return
        began_s = time.monotonic()
        late = self._failed(asked, began_s - self._limit_s, f"no answer within {self._limit_s:g} s")
        timer = threading.Timer(self._limit_s, self._tell, (late,))
        timer.daemon = True
        timer.start()
        threading.Thread(target=self._run, args=(asked, began_s, timer), name="probe", daemon=True).start()

    def _run(self, asked: ProbeCamera, began_s: float, timer: threading.Timer) -> None:
        set_up_thread()
        try:
            self._tell(self._look(asked, began_s))
        except Exception as error:  # noqa: BLE001  whoever asked waits for a word, whatever went wrong
            self._tell(self._failed(asked, began_s, f"{type(error).__name__}: {error}"))
        finally:
            timer.cancel()
            with self._lock:
                self._running -= 1

    def _look(self, asked: ProbeCamera, began_s: float) -> CameraProbe:
        opened: list[Capture] = []

        def open_and_keep(source: Input, url: str) -> Capture:
            opened.append(self._ends.open_capture(source, url))
            return opened[0]

        source = replace(
            asked.source,
            loop=False,
            open_timeout_s=min(asked.source.open_timeout_s, OPEN_S),
            read_timeout_s=min(asked.source.read_timeout_s, READ_S),
        )
        url = ""
        try:
            url = fill_secrets(source.url, self._ends.secrets)
            taken = shots(source, url, open_and_keep, Timing(self._ends.now_ms), threading.Event())
            picture = next(taken).picture()
            fps, codec = opened[0].fps, opened[0].codec
            taken.close()
        except CameraError as error:
            why = why_no_picture(url, EXPLAIN_S) if url else ""
            return self._failed(asked, began_s, f"{error}; {why}" if why else str(error))
        height, width = picture.shape[:2]
        jpeg = encode_jpeg(picture, height=round(height * min(1.0, MAX_WIDTH / width)), quality=QUALITY, masks=())
        seen = self._failed(asked, began_s, "")
        return replace(seen, jpeg=jpeg, width=width, height=height, fps=round(fps, 2), codec=codec)

    def _failed(self, asked: ProbeCamera, began_s: float, error: str) -> CameraProbe:
        return CameraProbe(
            site=self._ends.site,
            id=asked.id,
            agent=self._ends.agent,
            at_ms=self._ends.now_ms(),
            took_s=round(time.monotonic() - began_s, 3),
            error=redact(error),
        )

    def _tell(self, result: CameraProbe) -> None:
        with self._lock:
            waiting = result.id in self._waiting
            self._waiting.discard(result.id)
        if waiting:
            self._ends.answer(result)
