"""What nobody had said: an operator draws a box on an alert's frame, or on a live picture, and says what is there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from console.answers import NoAlertError, keep
from console.evidence import EvidenceReader
from console.hub import Change, Hub
from console.rights import Who
from console.store.rows import AlertRow, AnswerRow
from console.store.store import Store
from contracts import topics
from contracts.codec import encode
from contracts.config import LABELS
from contracts.errors import VedetteError
from contracts.fields import Count, Millis, Share, Size, Xyxy
from contracts.messages import Evidence, Feedback, FrameRef

LEAST = 0.004
"""A box is so much of the picture's width and height at least: less is a slip of the hand."""


class Box(msgspec.Struct, frozen=True):
    """What is there, and where (xyxy, 0-1 of the picture)."""

    label: Annotated[str, Meta(min_length=1, max_length=64)]
    xyxy: tuple[Share, Share, Share, Share]


class Still(msgspec.Struct, frozen=True):
    """A live picture as it was shown: whose, of when, how large, and where it lies in the frames' topic."""

    camera: Annotated[str, Meta(min_length=1, max_length=200)]
    captured_at_ms: Millis
    width: Size
    height: Size
    partition: Count
    offset: Count


class NoBoxError(VedetteError):
    """That is no box, or nothing that is looked for."""


class NoFrameError(VedetteError):
    """There is no picture on which something could be shown."""


class Missed:
    """Takes what operators draw. `wake` is called when the outbox has something."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        evidence: EvidenceReader,
        site: str,
        clock_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        self._store, self._hub, self._evidence = store, hub, evidence
        self._site, self._clock_ms, self._wake = site, clock_ms, wake

    def on_alert(self, who: Who, alert_id: str, box: Box, answer_id: str = "") -> AlertRow:
        """Something is on the frame that is kept of an alert; `answer_id` makes it safe to ask again.

        Raises ForbiddenError, NoAlertError, NoFrameError, NoBoxError.
        """
        who.need("answer")
        alert = self._store.alerts.body(alert_id) if "\0" not in alert_id else None
        if alert is None or not who.sees(alert.camera):
            raise NoAlertError("there is no such alert")
        kept = self._evidence.kept(alert)
        if kept is None:
            raise NoFrameError("no picture of this alert is kept")
        xyxy = _drawn(box, kept.evidence.width, kept.evidence.height)
        seen = msgspec.structs.replace(kept.evidence, xyxy=xyxy, confidence=1.0, boxes=(), embedding=b"")
        with self._store.database.write() as connection:
            rows = self._store.alerts.rows_of(connection, [alert_id])
            if not rows:
                raise NoAlertError("this alert was deleted just now")
            (row,) = rows
            keep(self._store, connection, row, self._said(who, box, alert_id, answer_id), seen)
        self._wake()
        self._hub.changed([Change(row, row)])  # whoever has the alert open sees its new history
        return row

    def on_still(self, who: Who, still: Still, box: Box) -> str:
        """Something is on a live picture, which evidence then keeps; returns the answer's id.

        Raises ForbiddenError, NoBoxError.
        """
        who.need("answer", still.camera)
        ref = FrameRef(topics.frames(self._site), still.partition, still.offset)
        seen = Evidence(
            ref=ref,
            captured_at_ms=still.captured_at_ms,
            width=still.width,
            height=still.height,
            xyxy=_drawn(box, still.width, still.height),
            confidence=1.0,
            detail=False,
        )
        said = self._said(who, box, "", "")
        with self._store.database.write() as connection:
            self._tell(connection, still.camera, said, seen)
        self._wake()
        return said.id

    def _tell(self, connection: Connection, camera: str, said: AnswerRow, seen: Evidence) -> None:
        feedback = Feedback(
            id=said.id,
            site=self._site,
            camera=camera,
            alert=said.id,
            revision=0,
            action="missed",
            operator=said.operator,
            at_ms=said.at_ms,
            started_at_ms=seen.captured_at_ms,
            label=said.label,
            evidence=seen,
        )
        self._store.answers.send(connection, topics.FEEDBACK, said.id, encode(feedback))
        details = {"label": said.label, "picture_at_ms": seen.captured_at_ms}
        self._store.audit.add(
            connection,
            at_ms=said.at_ms,
            who=said.operator,
            action="missed",
            subject=camera,
            details=details,
        )

    def _said(self, who: Who, box: Box, alert_id: str, answer_id: str) -> AnswerRow:
        return AnswerRow(
            id=answer_id or str(uuid.uuid4()),
            alert=alert_id,
            operator=who.name,
            at_ms=self._clock_ms(),
            action="missed",
            label=box.label,
        )


def _drawn(box: Box, width: int, height: int) -> Xyxy:
    """The box in pixels; raises NoBoxError."""
    if box.label not in LABELS:
        raise NoBoxError(f"`{box.label}` is not looked for: {', '.join(LABELS)}")
    x1, y1, x2, y2 = box.xyxy
    if x2 - x1 < LEAST or y2 - y1 < LEAST:
        raise NoBoxError("the box is too small to show anything")
    return x1 * width, y1 * height, x2 * width, y2 * height
