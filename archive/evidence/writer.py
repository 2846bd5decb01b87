"""Writes an alert's evidence: the frame as it may be kept, the drawn snapshot, what was seen, and what was decided."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from archive.evidence import answers, paths
from archive.evidence.chain import Chain, Entry, as_json, sha256
from archive.evidence.draw import Caption, drawn, plain
from archive.evidence.frames import FrameMissed, Frames
from archive.evidence.paths import Place
from archive.evidence.privacy import Kept, Redact, jpeg_of, kept_of
from contracts import codec, metrics
from contracts.decoding import from_json
from contracts.errors import ContractError
from contracts.messages import Alert, Evidence, Feedback, Frame
from contracts.metrics import Metrics
from contracts.naming import nameless, spoken

PICTURES = (paths.FRAME, paths.SNAPSHOT, paths.SEEN)
SOMEBODY = "enrolled person"
"""Who is shown is said beside the picture: in it, the name would outlast a removal."""


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
    """What became of an alert: its place, whether pictures were written now, and why not ("" when none were due)."""

    place: Place
    pictures: bool = False
    missed: str = ""


class EvidenceWriter:
    """Keeps alerts. `names` are the cameras' friendly names; times are drawn in `time_zone`.

    Idempotent: the manifest is written last and says which files belong to the newest revision, so a repeated or older
    revision changes nothing, and one that was cut off is done again.
    """

    def __init__(
        self,
        chain: Chain,
        frames: Frames,
        measured: Metrics,
        *,
        names: Mapping[str, str],
        time_zone: str,
        redact: Redact,
    ) -> None:
        self._chain = chain
        self._frames = frames
        self._metrics = measured
        self._names = names
        self._time_zone = zoneinfo.ZoneInfo(time_zone)
        self._redact = redact

    def write(self, alert: Alert) -> Written:
        """Keep one revision of an alert; raises ContractError for names that are no folder's, Stopped, OSError."""
        alert = _as_kept(alert)
        place = paths.place_of(alert)
        manifest = self._chain.manifest(place)
        if manifest is not None and manifest.kind == "deleted":
            return Written(place)  # it was too old once already
        kept = self._alert(place, manifest)
        if kept is not None and kept.revision >= alert.revision:
            return Written(place)
        files: dict[str, bytes | None] = {}
        written = Written(place)
        if alert.evidence is not None and _is_better(alert.evidence, self._seen(place, manifest)):
            try:
                files |= self._pictures(alert, alert.evidence, manifest)
                written = Written(place, pictures=True)
            except FrameMissed as error:
                files |= self._missed(alert, alert.evidence, manifest, error)
                written = Written(place, missed=error.reason)
        files[paths.DECISIONS] = self._decisions(place, manifest, alert)
        files[paths.ALERT] = msgspec.json.format(codec.encode(alert), indent=2)
        self._chain.keep(place, files, f"revision {alert.revision}: {alert.state}")
        if written.pictures:
            self._metrics.counter(metrics.EVIDENCE_WRITTEN, "frame").inc()
            self._metrics.counter(metrics.EVIDENCE_WRITTEN, "snapshot").inc()
        return written

    def write_missed(self, said: Feedback) -> Written:
        """Keep the frame of a live picture in which something was missed; raises as `write` does.

        It lies where an alert of that id and time would; what was drawn in it stands with the answers.
        """
        place = paths.place(said.site, said.started_at_ms, said.camera, said.alert)
        if said.evidence is None or self._chain.manifest(place) is not None:
            return Written(place)
        try:
            frame = self._frames.fetch(said.evidence.ref)
            kept = _meant(frame, said, said.evidence, self._redact)
        except FrameMissed as error:
            self._metrics.counter(metrics.EVIDENCE_MISSED, error.reason).inc()
            return Written(place, missed=error.reason)
        seen = _seen_of(said, said.alert, said.evidence, frame)
        known = answers.after(answers.Answered(), said)
        files = {paths.FRAME: kept.jpeg, paths.SEEN: as_json(seen), paths.ANSWERS: as_json(known)}
        self._chain.keep(place, files, f"missed, says {said.operator}")
        self._metrics.counter(metrics.EVIDENCE_WRITTEN, "frame").inc()
        return Written(place, pictures=True)

    def _pictures(self, alert: Alert, evidence: Evidence, manifest: Entry | None) -> dict[str, bytes | None]:
        """Fetch, check and draw; raises FrameMissed."""
        frame = self._frames.fetch(evidence.ref)
        kept = _meant(frame, alert, evidence, self._redact)
        snapshot = drawn(kept.picture, alert, self._caption(alert, evidence))
        files: dict[str, bytes | None] = {paths.FRAME: kept.jpeg, paths.SNAPSHOT: jpeg_of(snapshot)}
        files[paths.SEEN] = as_json(_seen_of(alert, alert.id, evidence, frame))
        return files | ({paths.MISSED: None} if manifest is not None and paths.MISSED in manifest.files else {})

    def _missed(
        self, alert: Alert, evidence: Evidence, manifest: Entry | None, error: FrameMissed
    ) -> dict[str, bytes | None]:
        """The note that says why; pictures that a kill left without their entry go."""
        self._metrics.counter(metrics.EVIDENCE_MISSED, error.reason).inc()
        note = Missed(revision=alert.revision, reason=error.reason, details=error.details, evidence=evidence)
        known = manifest.files if manifest is not None else {}
        return {paths.MISSED: as_json(note)} | {name: None for name in PICTURES if name not in known}

    def _decisions(self, place: Place, manifest: Entry | None, alert: Alert) -> bytes:
        """All revisions so far with this one, oldest first.

        A kill may have left this one there without its entry; anything else that the manifest doesn't know is not ours.
        """
        data = self._chain.files.read(place.file(paths.DECISIONS)) if manifest is not None else None
        try:
            found = from_json(data, list[Alert]) if data is not None else []
        except (msgspec.MsgspecError, UnicodeDecodeError):
            found = []
        before = [one for one in found if one.revision < alert.revision]
        known = manifest.files.get(paths.DECISIONS) if manifest is not None else None
        return _as_list([*before, alert] if sha256(_as_list(before)) == known else [alert])

    def _alert(self, place: Place, manifest: Entry | None) -> Alert | None:
        """The alert that is kept, None where there is none that can be read (then it is written again)."""
        data = self._chain.read(place, paths.ALERT, manifest)
        try:
            return codec.decode(data, Alert) if data is not None else None
        except ContractError:
            return None

    def _seen(self, place: Place, manifest: Entry | None) -> Seen | None:
        data = self._chain.read(place, paths.SEEN, manifest)
        try:
            return from_json(data, Seen) if data is not None else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def _caption(self, alert: Alert, evidence: Evidence) -> Caption:
        local = dt.datetime.fromtimestamp(evidence.captured_at_ms / 1000, self._time_zone)
        camera = plain(self._names.get(alert.camera) or alert.camera, otherwise=alert.camera)
        return Caption(
            title=f"{plain(alert.rule)} · {plain(alert.kind.replace('_', ' '))}",
            why=plain(spoken(alert.why, lambda _: SOMEBODY), otherwise=""),
            when=f"{local:%a %d %b %Y %H:%M:%S}.{local.microsecond // 100_000} {local:%Z}",
            where=f"{camera} ({plain(alert.site)})" + (" · late" if alert.late else ""),
        )


def _as_kept(alert: Alert) -> Alert:
    """With ids for names and without what was seen of a face: so a removal leaves nothing to be changed here."""
    alert = nameless(alert)
    return replace(alert, identity=replace(alert.identity, sealed=b"")) if alert.identity is not None else alert


def _as_list(alerts: list[Alert]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(alerts), indent=2)


def _seen_of(said: Alert | Feedback, alert_id: str, evidence: Evidence, frame: Frame) -> Seen:
    return Seen(
        alert=alert_id,
        revision=said.revision,
        site=said.site,
        camera=said.camera,
        label=said.label,
        evidence=evidence,
        session=frame.session,
        index=frame.index,
        sha256=frame.sha256,
        model=said.model,
        rule=said.rule,
        rule_version=said.rule_version,
        config_version=said.config_version,
    )


def _meant(frame: Frame, alert: Alert | Feedback, evidence: Evidence, redact: Redact) -> Kept:
    """The frame as it may be kept when it is the one that the alert means; raises FrameMissed."""
    meant = (alert.site, alert.camera, evidence.captured_at_ms)
    found = (frame.site, frame.camera, frame.captured_at_ms)
    if found != meant:
        raise FrameMissed("other_frame", f"wanted (site, camera, captured_at_ms) {meant}, found {found}")
    return kept_of(frame, redact)


def _is_better(evidence: Evidence, seen: Seen | None) -> bool:
    """A full-size frame before a small one, then the greater confidence; anything before nothing."""
    if seen is None:
        return True
    kept = seen.evidence
    return (evidence.detail, evidence.confidence) > (kept.detail, kept.confidence)
