"""The evidence process: alerts and answers in, pictures at once; behind that clips, and old evidence away."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence

from archive.evidence import answers, paths
from archive.evidence.chain import Chain
from archive.evidence.clips import Clips
from archive.evidence.files import Files
from archive.evidence.frames import Stopped
from archive.evidence.notes import Notes
from archive.evidence.writer import EvidenceWriter
from archive.letters import Clock, Letters
from bus.consuming import Record
from bus.errors import BusError
from bus.group import GroupReader
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Alert, Feedback

log = logging.getLogger(__name__)

GROUP = "vedette-evidence"
SOURCE = "evidence"
BATCH = 20
"""Alerts between two commits: what is done again after a kill."""
POLL_S = 0.25
IDLE_S = 0.25
NICENESS = 10
"""Of the thread that makes clips: whatever else wants the processor comes first."""


class Service:
    """Consumes `alerts` and `feedback` until `stop`; offsets are committed after the writes."""

    def __init__(
        self,
        bootstrap: str,
        files: Files,
        chain: Chain,
        writer: EvidenceWriter,
        clips: Clips | None,
        letters: Letters,
        stop: threading.Event,
    ) -> None:
        self._bootstrap = bootstrap
        self._files = files
        self._chain = chain
        self._writer = writer
        self._clips = clips
        self._letters = letters
        self._stop = stop

    def run(self) -> None:
        """Work until `stop` is set. Raises OSError when nothing can be kept: the supervisor starts it again."""
        reader = self._connected()
        if reader is None:
            return
        try:
            while not self._stop.is_set():
                records = reader.read(POLL_S, BATCH)
                for record in records:
                    self.handle(record)
                if records:
                    # One that fails is logged: the records come again, and find their work done.
                    reader.commit()
        except Stopped:
            log.info("stopped while something was under way; it is done again after the next start")
        finally:
            # The offsets of whole batches are committed already.
            reader.close()

    def handle(self, record: Record) -> None:
        """Keep what one alert, or one answer, leads to; or make it a dead letter."""
        try:
            if record.topic == topics.ALERTS:
                self._alert(decode(record.value or b"", Alert))
            else:
                self._answer(decode(record.value or b"", Feedback))
        except ContractError as error:
            log.warning("%s[%d] %d: %s", record.topic, record.partition, record.offset, error)
            if not self._letters.send_for_sure(record, error.reason, self._stop):
                raise Stopped("while writing a dead letter") from error

    def _alert(self, alert: Alert) -> None:
        if self._clips is not None:
            self._clips.expect(alert)
        written = self._writer.write(alert)
        about = {"camera": alert.camera, "alert": alert.id}
        if written.missed:
            log.warning("%s %s: no picture: %s", alert.camera, alert.id, written.missed, extra=about)
        elif written.pictures:
            snapshot = self._files.place(written.place.file(paths.SNAPSHOT))
            log.info("%s %s: %s", alert.camera, alert.id, snapshot, extra=about)

    def _answer(self, said: Feedback) -> None:
        if said.action != "missed" or said.alert != said.id:
            answers.take(self._chain, said)
            return
        written = self._writer.write_missed(said)
        about = {"camera": said.camera, "alert": said.alert}
        if written.missed:
            log.warning("%s: what was missed has no picture: %s", said.camera, written.missed, extra=about)

    def _connected(self) -> GroupReader | None:
        """A member of the group, or None when `stop` came first."""
        while not self._stop.is_set():
            try:
                return GroupReader(self._bootstrap, (topics.ALERTS, topics.FEEDBACK), GROUP)
            except BusError as error:
                log.warning("broker %s: %s", self._bootstrap, error)
            self._stop.wait(1)
        return None


class Aftermath:
    """One thread behind the pictures: makes clips that are due, and looks for old evidence once a day."""

    def __init__(
        self,
        clips: Clips | None,
        sweeps: Sequence[Callable[[int], object]],
        notes: Notes,
        clock: Clock,
        stop: threading.Event,
    ) -> None:
        """`sweeps` let go, at a time (ms), what is too old by then."""
        self._clips = clips
        self._sweeps = sweeps
        self._notes = notes
        self._clock = clock
        self._stop = stop
        self._swept_at_ms = -topics.DAY_MS
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for its end after `stop`, False where that takes longer; raises what ended it before."""
        self._thread.join(timeout_s)
        if self._failed is not None:
            raise self._failed
        return not self._thread.is_alive()

    def _run(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            if self._clips is not None:
                self._clips.load()
            while not self._stop.is_set():
                if not self._next_clip():
                    self._sweep()
                    self._stop.wait(IDLE_S)
        except Stopped:
            log.info("stopped while a clip was under way; it is made after the next start")
        except BaseException as error:  # noqa: BLE001  told to the main thread, which ends the process with it
            self._failed = error
            self._stop.set()

    def _next_clip(self) -> bool:
        """Make the clip that is most overdue; False where none is due."""
        due = self._clips.due() if self._clips is not None else None
        if due is None or self._clips is None:
            return False
        note = self._clips.make(*due)
        if note is not None:
            self._notes.tell(note)
            self._clips.done(*due)
        return True

    def _sweep(self) -> None:
        now_ms = self._clock()
        if now_ms - self._swept_at_ms >= topics.DAY_MS:
            for sweep in self._sweeps:
                sweep(now_ms)
            self._swept_at_ms = now_ms
