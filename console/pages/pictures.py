"""Evidence of alerts for who may see the camera: the undrawn frame, a small one, the clip, the signed bundle."""

from __future__ import annotations

import io
from base64 import b64encode
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from PIL import Image, UnidentifiedImageError

from console.api.evidence import file_name
from console.auth.guard import caller_of
from console.evidence import EvidenceReader
from console.pages.desk import Desk, blocking
from console.ranges import clip_answer
from console.rights import Who
from console.store.rows import SEVERITIES, Filter
from contracts.messages import Alert

SMALL = (192, 120)
"""Twice the size that the queue shows it in: sharp on screens of two pixels a point."""

FACE = (240, 240)

CACHED = {"Cache-Control": "private, max-age=3600"}


def last_kept(desk: Desk, who: Who, camera: str) -> bytes | None:
    """The frame of the camera's newest alert that has one, to draw on while the camera is away: a look. Blocks."""
    for severity in SEVERITIES:
        for row in desk.store.alerts.page(Filter(cameras=(camera,), severities=(severity,)), None, 5).rows:
            if not row.snapshot:
                continue
            found = desk.parts.evidence.read(who, row.id, "frame", desk.now_ms())
            if found is not None:
                return found
    return None


def routes(desk: Desk) -> APIRouter:
    """The pictures' addresses. `v` in them is the revision: a better picture has another address."""
    router = APIRouter(prefix="/pictures", include_in_schema=False)

    @router.get("/{alert_id}/frame.jpg")
    async def frame(request: Request, alert_id: str) -> Response:
        _, who = await _seen_by(desk, request, alert_id)
        found = await blocking(desk.parts.evidence.read, who, alert_id, "frame", desk.now_ms())
        if found is None:
            raise HTTPException(404)
        return Response(found, media_type="image/jpeg", headers=CACHED)

    @router.get("/{alert_id}/explained.json")
    async def explained(request: Request, alert_id: str) -> dict[str, Any]:
        """The heat as a data address, and what of the data set it looks like."""
        alert, who = await _seen_by(desk, request, alert_id)
        found = await blocking(desk.parts.explanations.ask, who, alert)
        if not found.overlay:
            raise HTTPException(404, found.error)
        alike = desk.parts.explanations.alike(who, found)
        shown = [one | {"camera_name": desk.camera_name(one["camera"])} for one in alike]
        return {"heat": "data:image/jpeg;base64," + b64encode(found.overlay).decode(), "alike": shown}

    @router.get("/{alert_id}/small.jpg")
    async def small(request: Request, alert_id: str) -> Response:
        alert, _ = await _seen_by(desk, request, alert_id)
        picture = await blocking(_small_of, desk.parts.evidence, alert)
        return Response(picture, media_type="image/jpeg", headers=CACHED)

    @router.get("/{alert_id}/clip.mp4")
    async def clip(request: Request, alert_id: str) -> Response:
        _, who = await _seen_by(desk, request, alert_id)
        asked = request.headers.get("range", "")[:200]
        return await blocking(clip_answer, desk.parts.evidence, who, alert_id, asked, desk.now_ms(), CACHED)

    @router.get("/{alert_id}/bundle.zip")
    async def bundle(request: Request, alert_id: str) -> Response:
        _, who = await _seen_by(desk, request, alert_id)
        who.need("export")
        made = await blocking(desk.parts.evidence.bundle, who, alert_id, desk.now_ms())
        headers = {"content-disposition": f'attachment; filename="{file_name(alert_id)}"', "cache-control": "no-store"}
        return Response(made, media_type="application/zip", headers=headers)

    @router.get("/{alert_id}/face.jpg")
    async def face(request: Request, alert_id: str) -> Response:
        alert, who = await _seen_by(desk, request, alert_id)
        picture = await blocking(_face_of, desk.parts.evidence, alert)
        await blocking(desk.parts.evidence.looked, who, alert, "face", desk.now_ms())
        return Response(picture, media_type="image/jpeg", headers=CACHED)

    return router


async def _seen_by(desk: Desk, request: Request, alert_id: str) -> tuple[Alert, Who]:
    """The alert when this request may see it; 404 says nothing about whether it exists."""
    who = caller_of(request).who
    if who is None or not who.may("see"):
        raise HTTPException(401)
    alert = await blocking(desk.store.alerts.body, alert_id)
    if alert is None or not who.sees(alert.camera):
        raise HTTPException(404)
    return alert, who


def _small_of(evidence: EvidenceReader, alert: Alert) -> bytes:
    found = evidence.kept(alert)
    if found is None:
        raise HTTPException(404)
    seen = found.evidence
    share = (0.0, 0.0, 1.0, 1.0)
    if seen.xyxy is not None:
        x1, y1, x2, y2 = seen.xyxy
        share = (x1 / seen.width, y1 / seen.height, x2 / seen.width, y2 / seen.height)
    return _cropped(evidence, alert.id, found.sha256, share)


def _face_of(evidence: EvidenceReader, alert: Alert) -> bytes:
    """The face that an alert's identity rests on, out of its picture."""
    said, seen, found = alert.identity, alert.evidence, evidence.kept(alert)
    if said is None or said.face is None or seen is None or found is None:
        raise HTTPException(404)
    x1, y1, x2, y2 = said.face
    share = (x1 / seen.width, y1 / seen.height, x2 / seen.width, y2 / seen.height)
    return _cropped(evidence, alert.id, found.sha256, share, FACE, 0.0)


@lru_cache(maxsize=512)
def _cropped(
    evidence: EvidenceReader,
    alert_id: str,
    _: str,
    share: tuple[float, float, float, float],
    size: tuple[int, int] = SMALL,
    least: float = 0.25,
) -> bytes:
    """The part of the picture around `share` (0-1 of it), at least so tall, in `size`; the key has its digest."""
    try:
        with Image.open(io.BytesIO(evidence.frame(alert_id) or b"")) as opened:
            if least:
                opened.draft("RGB", (size[0] * 4, size[1] * 4))
            picture = opened.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise HTTPException(404) from error
    box = around(share, picture.size, size[0] / size[1], least)
    made = io.BytesIO()
    picture.resize(size, Image.Resampling.BILINEAR, box=box).save(made, "JPEG", quality=80)
    return made.getvalue()


def around(
    share: tuple[float, float, float, float], size: tuple[int, int], ratio: float, least: float = 0.25
) -> tuple[float, float, float, float]:
    """The part (xyxy, pixels) of a picture of `size` around a box (0-1): 1.8 of the box, of the shape `ratio`.

    It is at least `least` of the picture's height.
    """
    width, height = size
    x1, y1, x2, y2 = share[0] * width, share[1] * height, share[2] * width, share[3] * height
    tall = max((y2 - y1) * 1.8, (x2 - x1) * 1.8 / ratio, height * least)
    tall = min(tall, height, width / ratio)
    wide = tall * ratio
    left = min(max((x1 + x2) / 2 - wide / 2, 0.0), width - wide)
    top = min(max((y1 + y2) / 2 - tall / 2, 0.0), height - tall)
    return left, top, left + wide, top + tall
