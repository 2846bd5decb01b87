"""The live feed of alerts in the terminal: one line an alert, with the path of its snapshot."""

from __future__ import annotations

import datetime as dt
import threading
import time
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archive.evidence.paths import SNAPSHOT, alert_folder
from contracts import topics
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.messages import Alert
from vedette.reading import open_topic

SNAPSHOT_WAIT_S = 3.0
"""A snapshot is written some 50 ms after its alert; one that takes longer is shown as not there."""

COLOURS = {"info": "37", "low": "36", "medium": "33", "high": "31", "critical": "1;31"}


@dataclass(frozen=True)
class FeedOptions:
    """Where alerts and their pictures are, and how lines look."""

    bootstrap: str
    evidence_root: Path
    time_zone: str
    colour: bool = False


def line(alert: Alert, snapshot: Path | None, options: FeedOptions) -> str:
    """What a person reads of one revision: time, severity, camera, why, and where the picture is."""
    zone = zoneinfo.ZoneInfo(options.time_zone)
    clock = dt.datetime.fromtimestamp(alert.at_ms / 1000, zone).strftime("%H:%M:%S")
    severity = f"{alert.severity:<8}"
    if options.colour:
        severity = f"\033[{COLOURS[alert.severity]}m{severity}\033[0m"
    if alert.state == "end":
        return f"{clock}  {'ended':<8}  {alert.camera:<12} {alert.rule}: {alert.why}"
    text = f"{clock}  {severity}  {alert.camera:<12} {alert.rule}: {alert.why}"
    return f"{text}\n{'':20}{snapshot}" if snapshot is not None else text


class Feed:
    """Follows the `alerts` topic from now on and hands lines to `say`, in a thread of its own."""

    def __init__(self, options: FeedOptions, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.count = 0

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        for alert in self._alerts():
            if alert.state == "update":
                continue
            self.count += alert.state == "new"
            self._say(line(alert, self._snapshot(alert) if alert.state == "new" else None, self._options))

    def _alerts(self) -> Iterator[Alert]:
        consumer = open_topic(self._options.bootstrap, topics.ALERTS, "end")
        try:
            while not self._stop.is_set():
                for records in consumer.poll(timeout_ms=200).values():
                    yield from (alert for record in records if (alert := _alert(record.value)) is not None)
        finally:
            consumer.close()

    def _snapshot(self, alert: Alert) -> Path | None:
        """The picture's path once it is written; None for alerts without a picture, or when it doesn't come."""
        if alert.evidence is None:
            return None
        path = alert_folder(self._options.evidence_root, alert) / SNAPSHOT
        deadline = time.monotonic() + SNAPSHOT_WAIT_S
        while not path.exists() and time.monotonic() < deadline and not self._stop.wait(0.05):
            continue
        return path if path.exists() else None


def _alert(value: bytes | None) -> Alert | None:
    try:
        return decode(value or b"", Alert)
    except ContractError:
        return None  # the evidence service reads the same record and writes the dead letter
