"""Where a face comes from that is to be enrolled: a file, an alert's picture, an unknown person's looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from archive.people import Candidate, Enrolment, Examined, FaceModels, crop, opened
from console.answers import NoAlertError
from console.evidence import EvidenceReader
from console.people.errors import NobodyError
from console.people.feed import UnknownPeople
from console.people.frames import Frames, scaled
from console.people.sealing import whole
from console.rights import Who
from console.store.store import Store
from contracts.config import Config
from contracts.identity import Identified
from contracts.messages import Alert
from vault import DayKeys, VaultError


class Upload(msgspec.Struct, frozen=True, tag_field="from", tag="upload"):
    """A picture (JPEG, PNG or WebP, base64) and which of its faces is meant, where there are several."""

    picture: bytes
    face: Annotated[int, Meta(ge=0, le=10_000)] | None = None


class FromAlert(msgspec.Struct, frozen=True, tag_field="from", tag="alert"):
    """The face that an alert is about."""

    alert: Annotated[str, Meta(min_length=1, max_length=200)]


class FromUnknown(msgspec.Struct, frozen=True, tag_field="from", tag="unknown"):
    """What is known of an unknown person's face."""

    pseudonym: Annotated[str, Meta(min_length=1, max_length=200)]


Source = Upload | FromAlert | FromUnknown


def source_name(source: Source) -> str:
    """How a source is written down."""
    match source:
        case Upload():
            return "upload"
        case FromAlert(alert=alert):
            return f"alert/{alert}"
        case FromUnknown(pseudonym=pseudonym):
            return f"unknown/{pseudonym}"


class Sources:
    """Finds faces. Every look at evidence is audited, and only for who may see its camera."""

    def __init__(
        self,
        store: Store,
        evidence: EvidenceReader,
        models: FaceModels,
        days: DayKeys,
        unknowns: UnknownPeople,
        frames: Frames,
        config: Callable[[], Config],
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._models = models
        self._days = days
        self._unknowns = unknowns
        self._frames = frames
        self._config = config

    def examine(self, who: Who, source: Source, now_ms: int) -> Examined:
        """The faces of a source and which one is meant, or why it won't do.

        Raises PictureError for a bad file, NoAlertError and NobodyError for what this person may not see.
        """
        match source:
            case Upload(picture=data, face=face):
                picture = opened(data)
                return self._rules().examine(picture, self._models.faces(picture), chosen=face)
            case FromAlert(alert=alert_id):
                return self._of_alert(who, alert_id, now_ms)
            case FromUnknown(pseudonym=pseudonym):
                return Examined((), 0, self._of_unknown(who, pseudonym))

    def vector_of(self, identity: Identified) -> Candidate | None:
        """The fused look of an alert's identity; None where its day's key is gone, or there never was one."""
        if not identity.sealed:
            return None
        try:
            vector = whole(self._days.open(identity.sealed))
        except VaultError:
            return None
        if len(vector) != self._models.manifest.embedding:
            return None  # another embedder's
        return Candidate(vector, self._models.calibration.cosine(identity.quality))

    def _rules(self) -> Enrolment:
        return Enrolment(self._models.calibration, self._config().faces.wanted_rate)

    def _of_alert(self, who: Who, alert_id: str, now_ms: int) -> Examined:
        """The look in the alert's picture, with the fused vector of the whole track where that is better."""
        alert = self._store.alerts.body(alert_id) if "\0" not in alert_id else None
        if alert is None or not who.sees(alert.camera):
            raise NoAlertError("there is no such alert")
        fused = self.vector_of(alert.identity) if alert.identity else None
        seen = self._in_picture(who, alert, now_ms)
        if seen is None:
            if fused is None:
                raise NobodyError(self._why_nothing(alert))
            return Examined((), 0, fused)
        if fused is None or (seen.candidate and seen.refusal is None and seen.candidate.strength > fused.strength):
            return seen
        picture = seen.candidate.crop if seen.candidate else b""
        return Examined(seen.faces, seen.chosen or 0, Candidate(fused.vector, fused.strength, picture))

    def _why_nothing(self, alert: Alert) -> str:
        person = alert.identity.person_id if alert.identity else ""
        with self._store.database.read() as connection:
            removed = bool(person) and not self._store.people.held(connection, [person])
        if removed:
            return "whom this alert is about was removed, with what was seen of their face, and its picture is gone"
        return "this alert's picture is not there (any more), nor what was seen of the face"

    def _in_picture(self, who: Who, alert: Alert, now_ms: int) -> Examined | None:
        data = self._evidence.read(who, alert.id, "frame", now_ms)
        if data is None or alert.evidence is None:
            return None
        picture, evidence = opened(data), alert.evidence
        box = (alert.identity.face if alert.identity else None) or evidence.xyxy
        near = scaled(box, picture, (evidence.width, evidence.height)) if box else None
        return self._rules().examine(picture, self._models.faces(picture), near=near)

    def _of_unknown(self, who: Who, pseudonym: str) -> Candidate:
        known = self._unknowns.get(who, pseudonym)
        if known.model != self._models.manifest.id:
            raise NobodyError("this face was seen by another version of the model: wait until they are seen again")
        try:
            vector = whole(self._days.open(known.sealed))
        except VaultError as error:
            raise NobodyError("what was seen of this face can't be read any more: its day's key is gone") from error
        return Candidate(vector, max(visit.strength for visit in known.visits), self.face_of(who, pseudonym) or b"")

    def face_of(self, who: Who, pseudonym: str, track: str = "") -> bytes | None:
        """A JPEG of an unknown person's face, of the best visit or of `track`, while its frame is there."""
        known = self._unknowns.get(who, pseudonym)
        visits = sorted(known.visits, key=lambda visit: -visit.strength)
        cameras = self._config().cameras
        for visit in visits if not track else [one for one in visits if one.track == track]:
            if visit.camera not in cameras or cameras[visit.camera].faces.anonymise:
                continue  # this camera shows nobody who is not on a watch-list
            found = self._frames.picture(visit.ref, visit.camera)
            if found is not None:
                picture, frame = found
                return crop(picture, scaled(visit.face, picture, (frame.width, frame.height)))
        return None
