"""Writes an alert's evidence: the frame as it is in the log, the drawn snapshot, what was seen, and the alert."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import cv2
import msgspec
import numpy as np

from archive.evidence import paths
from archive.evidence.draw import Caption, Picture, drawn, plain
from archive.evidence.frames import FrameMissed, Frames
from contracts import codec, metrics
from contracts.errors import ContractError
from contracts.messages import Alert, Evidence, Frame
from contracts.metrics import Metrics

SNAPSHOT_QUALITY = 90


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the kept frame shows, which models and rules saw it, and how to tell that it is that frame."""

    v: int = 1
    alert: str
    revision: int
    site: str
    camera: str
    label: str
    evidence: Evidence
    session: int
    index: int
    sha256: str
    model: str
    rule: str
    rule_version: int
    config_version: str


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no picture, or none of the latest evidence."""

    v: int = 1
    revision: int
    reason: str
    details: str
    evidence: Evidence


class Written(NamedTuple):
    """What became of an alert: its folder, whether pictures were written now, and why not ("" when none were due)."""

    folder: Path
    pictures: bool = False
    missed: str = ""


class EvidenceWriter:
    """Keeps evidence under `root`. `names` are the cameras' friendly names; times are drawn in `time_zone`.

    Idempotent: `alert.json` is written last and says which revision the folder has, so a repeated or older revision
    changes nothing, and one that was cut off is done again.
    """

    def __init__(
        self, root: Path, frames: Frames, measured: Metrics, *, names: Mapping[str, str], time_zone: str
    ) -> None:
        self.root = root
        self._frames = frames
        self._metrics = measured
        self._names = names
        self._time_zone = zoneinfo.ZoneInfo(time_zone)

    def write(self, alert: Alert) -> Written:
        """Keep one revision of an alert; raises ContractError for names that are no folder's, Stopped, OSError."""
        folder = paths.alert_folder(self.root, alert)
        kept = _read_alert(folder / paths.ALERT)
        if kept is not None and kept.revision >= alert.revision:
            return Written(folder)
        folder.mkdir(parents=True, exist_ok=True)
        written = Written(folder)
        if alert.evidence is not None and _is_better(alert.evidence, _read_seen(folder / paths.SEEN)):
            try:
                self._pictures(folder, alert, alert.evidence)
                written = Written(folder, pictures=True)
            except FrameMissed as error:
                self._metrics.counter(metrics.EVIDENCE_MISSED, error.reason).inc()
                missed = Missed(
                    revision=alert.revision, reason=error.reason, details=error.details, evidence=alert.evidence
                )
                _replace(folder / paths.MISSED, _json(missed))
                written = Written(folder, missed=error.reason)
        _replace(folder / paths.ALERT, msgspec.json.format(codec.encode(alert), indent=2))
        return written

    def _pictures(self, folder: Path, alert: Alert, evidence: Evidence) -> None:
        """Fetch, check, draw and write; raises FrameMissed before anything is written."""
        frame = self._frames.fetch(evidence.ref)
        picture = _checked(frame, alert, evidence)
        snapshot = drawn(picture, alert, self._caption(alert, evidence))
        seen = Seen(
            alert=alert.id,
            revision=alert.revision,
            site=alert.site,
            camera=alert.camera,
            label=alert.label,
            evidence=evidence,
            session=frame.session,
            index=frame.index,
            sha256=frame.sha256,
            model=alert.model,
            rule=alert.rule,
            rule_version=alert.rule_version,
            config_version=alert.config_version,
        )
        _, encoded = cv2.imencode(".jpg", snapshot, [cv2.IMWRITE_JPEG_QUALITY, SNAPSHOT_QUALITY])
        _replace(folder / paths.FRAME, frame.jpeg)
        _replace(folder / paths.SNAPSHOT, encoded.tobytes())
        _replace(folder / paths.SEEN, _json(seen))
        (folder / paths.MISSED).unlink(missing_ok=True)
        self._metrics.counter(metrics.EVIDENCE_WRITTEN, "frame").inc()
        self._metrics.counter(metrics.EVIDENCE_WRITTEN, "snapshot").inc()

    def _caption(self, alert: Alert, evidence: Evidence) -> Caption:
        local = dt.datetime.fromtimestamp(evidence.captured_at_ms / 1000, self._time_zone)
        camera = plain(self._names.get(alert.camera) or alert.camera, otherwise=alert.camera)
        return Caption(
            title=f"{plain(alert.rule)} · {plain(alert.kind.replace('_', ' '))}",
            why=plain(alert.why, otherwise=""),
            when=f"{local:%a %d %b %Y %H:%M:%S}.{local.microsecond // 100_000} {local:%Z}",
            where=f"{camera} ({plain(alert.site)})" + (" · late" if alert.late else ""),
        )


def _checked(frame: Frame, alert: Alert, evidence: Evidence) -> Picture:
    """The frame's picture (BGR) when it is the frame that the alert means; raises FrameMissed."""
    meant = (alert.site, alert.camera, evidence.captured_at_ms)
    found = (frame.site, frame.camera, frame.captured_at_ms)
    if found != meant:
        raise FrameMissed("other_frame", f"wanted (site, camera, captured_at_ms) {meant}, found {found}")
    digest = hashlib.sha256(frame.jpeg).hexdigest()
    if digest != frame.sha256:
        raise FrameMissed("damaged", f"sha256 is {digest}, the frame says {frame.sha256}")
    data = np.frombuffer(frame.jpeg, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise FrameMissed("undecodable", f"{len(data)} bytes are no JPEG")
    return cast(Picture, picture)


def _is_better(evidence: Evidence, seen: Seen | None) -> bool:
    """A full-size frame before a small one, then the greater confidence; anything before nothing."""
    if seen is None:
        return True
    kept = seen.evidence
    return (evidence.detail, evidence.confidence) > (kept.detail, kept.confidence)


def _read_alert(path: Path) -> Alert | None:
    """The alert in the folder, None where there is none that can be read (then it is written again)."""
    try:
        return codec.decode(path.read_bytes(), Alert)
    except (FileNotFoundError, ContractError):
        return None


def _read_seen(path: Path) -> Seen | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Seen)
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _json(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _replace(path: Path, data: bytes) -> None:
    """Write `data` so that a reader, also one after a crash, finds the old content or the new."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
