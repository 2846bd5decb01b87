"""Evidence of alerts: pictures, clips, and signed bundles with all that is known of one. Every look is audited."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, HTTPException, Response

from archive.evidence.clip import ClipInfo
from console.answers import NoAlertError
from console.api.alerts import Viewer, row_of
from console.api.base import WithParts, needs, reply, spec
from console.ranges import clip_answer
from console.rights import Who

router = APIRouter(prefix="/api", tags=["evidence"])

CACHED = {"cache-control": "private, max-age=60"}


class EvidenceView(msgspec.Struct, frozen=True):
    """What is kept of an alert: the clip (null: not made yet), the cases that hold it, the site's public key."""

    clip: ClipInfo | None
    cases: tuple[str, ...]
    public_key: str


@router.get("/alerts/{alert_id}/evidence", **spec(EvidenceView, errors=(404,)))
def evidence(alert_id: str, parts: WithParts, who: Viewer) -> Response:
    """What is kept of an alert, and the key that its bundle is signed with."""
    row = row_of(parts, who, alert_id)
    alert = parts.store.alerts.body(row.id)
    if alert is None:
        raise NoAlertError("there is no such alert")
    cases = tuple(parts.store.answers.cases_of(row.id))
    return reply(EvidenceView(parts.evidence.clip(alert), cases, str(parts.evidence.public_key)))


@router.get("/alerts/{alert_id}/clip", **spec(str, errors=(404, 416), media="video/mp4"))
def clip(alert_id: str, parts: WithParts, who: Viewer, range: Annotated[str, Header(max_length=200)] = "") -> Response:
    """The alert's clip (H.264 in MP4), or with a Range header a part of it."""
    row = row_of(parts, who, alert_id)
    return clip_answer(parts.evidence, who, row.id, range, parts.clock_ms(), CACHED)


@router.get("/alerts/{alert_id}/bundle", **spec(str, errors=(404,), media="application/zip"))
def bundle(alert_id: str, parts: WithParts, who: Annotated[Who, Depends(needs("export"))]) -> Response:
    """Everything that is known of an alert as one signed zip; `vedette evidence verify` checks each byte of it."""
    row = row_of(parts, who, alert_id)
    made = parts.evidence.bundle(who, row.id, parts.clock_ms())
    headers = {"content-disposition": f'attachment; filename="{file_name(row.id)}"'}
    return Response(made, media_type="application/zip", headers=headers)


@router.get("/alerts/{alert_id}/{picture}", **spec(str, errors=(404,), media="image/jpeg"))
def picture(alert_id: str, picture: Literal["snapshot", "frame"], parts: WithParts, who: Viewer) -> Response:
    """The alert's picture: `snapshot` with box, zone and trail, or the `frame` as it was sent."""
    row = row_of(parts, who, alert_id)
    data = parts.evidence.read(who, row.id, picture, parts.clock_ms())
    if data is None:
        raise HTTPException(404, "there is no picture of this alert (any more, or yet)")
    return Response(data, media_type="image/jpeg", headers=CACHED)


def file_name(alert_id: str) -> str:
    """What a bundle is called; of the id what every system takes."""
    plain = "".join(one for one in alert_id if one.isascii() and (one.isalnum() or one in "-_"))
    return f"evidence-{plain[:80]}.zip"
