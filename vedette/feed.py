"""The live feed of alerts in the terminal: one line an alert, with the path of its snapshot."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import zoneinfo
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from archive.evidence.files import Files
from archive.evidence.paths import SNAPSHOT, place_of
from bus.errors import BusError
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Alert
from contracts.naming import NameOf, mention, spoken

log = logging.getLogger("vedette")

SNAPSHOT_WAIT_S = 3.0
"""A snapshot is written some 50 ms after its alert; one that takes longer is shown as not there."""
OLD_S = 5.0
"""An alert that comes so long after its picture says so."""
REMEMBERED = 10_000
"""Revisions that are known as shown: what a crash of the jobs repeats is some seconds old."""
RETRY_S, QUIET_S = 0.5, 5.0
"""Reading is tried again so soon, and said to fail once it has failed for so long: a new topic isn't there at once."""

COLOURS = {"info": "37", "low": "36", "medium": "33", "high": "31", "critical": "1;31"}


@dataclass(frozen=True)
class FeedOptions:
    """Where alerts and their pictures are, what people are called, since when (ms) we run, and how lines look."""

    bootstrap: str
    files: Files
    time_zone: str
    name_of: NameOf = mention
    colour: bool = False
    started_ms: int = 0


def line(alert: Alert, snapshot: str | None, options: FeedOptions, now_ms: int = 0) -> str:
    """What a person reads of one revision: time, severity, camera, why, how old, and where the picture is."""
    zone = zoneinfo.ZoneInfo(options.time_zone)
    clock = dt.datetime.fromtimestamp(alert.at_ms / 1000, zone).strftime("%H:%M:%S")
    severity = f"{alert.severity:<8}"
    if options.colour:
        severity = f"\033[{COLOURS[alert.severity]}m{severity}\033[0m"
    if alert.state == "end":
        severity = f"{'ended':<8}"
    why = spoken(alert.why, options.name_of) + _age(alert.at_ms, options, now_ms)
    text = f"{clock}  {severity}  {alert.camera:<12} {alert.rule}: {why}"
    return f"{text}\n{'':20}{snapshot}" if snapshot is not None else text


def _age(at_ms: int, options: FeedOptions, now_ms: int) -> str:
    """Words for an alert that is not live: of what was recorded before this start, or late."""
    age_s = (now_ms - at_ms) / 1000
    if age_s < OLD_S:
        return ""
    before = ", from before the start" if at_ms < options.started_ms else ""
    return f"  ({_span(age_s)} ago{before})"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else "hours"


class Feed:
    """Follows the `alerts` topic from now on and hands lines to `say`, in a thread of its own."""

    def __init__(self, options: FeedOptions, say: Callable[[str], None], now_ms: Callable[[], int]) -> None:
        self._options = options
        self._say = say
        self._now_ms = now_ms
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._shown: OrderedDict[tuple[str, int], None] = OrderedDict()
        self.count = 0

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=1.0)

    def show(self, alert: Alert) -> None:
        """Say the alert, unless it is an update or was said before: a crash of the jobs repeats what came last."""
        place = (alert.id, alert.revision)
        if alert.state == "update" or place in self._shown:
            return
        self._shown[place] = None
        if len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
        self.count += alert.state == "new"
        snapshot = self._snapshot(alert) if alert.state == "new" else None
        self._say(line(alert, snapshot, self._options, self._now_ms()))

    def _run(self) -> None:
        for value in follow(self._options.bootstrap, topics.ALERTS, self._stop, self._say):
            try:
                self.show(decode(value, Alert))
            except ContractError:
                continue  # the evidence service reads the same record and writes the dead letter
            except Exception:
                log.exception("an alert can't be shown")

    def _snapshot(self, alert: Alert) -> str | None:
        """The picture's path once it is written; None for alerts without a picture, or when it doesn't come."""
        if alert.evidence is None:
            return None
        files, path = self._options.files, place_of(alert).file(SNAPSHOT)
        deadline = time.monotonic() + SNAPSHOT_WAIT_S
        while files.size(path) is None and time.monotonic() < deadline and not self._stop.wait(0.05):
            continue
        return files.place(path) if files.size(path) is not None else None


def follow(bootstrap: str, topic: str, stop: threading.Event, say: Callable[[str], None]) -> Iterator[bytes]:
    """What comes on the topic from now on, until `stop`; when reading fails for long it says so, and tries again."""
    failing_since_s: float | None = None
    said = False
    while not stop.is_set():
        try:
            with Reader(bootstrap, topic, "end") as reader:
                while not stop.is_set():
                    records = reader.read(0.2)
                    failing_since_s, said = None, False
                    yield from (record.value or b"" for record in records)
        except BusError as error:
            now_s = time.monotonic()
            failing_since_s = now_s if failing_since_s is None else failing_since_s
            if not said and now_s - failing_since_s >= QUIET_S:
                said = True
                say(f"reading {topic} fails ({error}); it is tried again and again")
            stop.wait(RETRY_S)
