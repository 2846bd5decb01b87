"""Pictures of alerts for who may see the camera: the undrawn frame, and a small one around what was seen."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response
from PIL import Image, UnidentifiedImageError

from archive.evidence import paths
from console.auth.guard import caller_of
from console.pages.desk import Desk, blocking
from console.rights import Who
from console.store.rows import SEVERITIES, Filter
from contracts.errors import ContractError
from contracts.messages import Alert, Evidence

SMALL = (192, 120)
"""Twice the size that the queue shows it in: sharp on screens of two pixels a point."""

CACHED = {"Cache-Control": "private, max-age=3600"}


class Kept(msgspec.Struct, frozen=True):
    """What evidence says of the frame that it keeps: the best one, which needn't be the newest revision's."""

    revision: int
    evidence: Evidence


class Missed(msgspec.Struct, frozen=True):
    """Why evidence has no picture."""

    reason: str


_KEPT, _MISSED = msgspec.json.Decoder(Kept), msgspec.json.Decoder(Missed)


def kept(root: Path, alert: Alert) -> Kept | None:
    """What the alert's picture shows, None where none is kept (yet)."""
    try:
        return _KEPT.decode((paths.alert_folder(root, alert) / paths.SEEN).read_bytes())
    except (OSError, msgspec.MsgspecError, ContractError):
        return None


def missed(root: Path, alert: Alert) -> Missed | None:
    """Why there is no picture, if evidence has said."""
    try:
        return _MISSED.decode((paths.alert_folder(root, alert) / paths.MISSED).read_bytes())
    except (OSError, msgspec.MsgspecError, ContractError):
        return None


def last_kept(desk: Desk, camera: str) -> bytes | None:
    """The frame of the camera's newest alert that has one: to draw on while the camera is away. Blocks."""
    for severity in SEVERITIES:
        for row in desk.store.alerts.page(Filter(cameras=(camera,), severities=(severity,)), None, 5).rows:
            alert = desk.store.alerts.body(row.id)
            if alert is None or not row.snapshot:
                continue
            try:
                return (paths.alert_folder(desk.parts.evidence_root, alert) / paths.FRAME).read_bytes()
            except (OSError, ContractError):
                continue
    return None


def routes(desk: Desk) -> APIRouter:
    """The pictures' addresses. `v` in them is the revision: a better picture has another address."""
    router = APIRouter(prefix="/pictures", include_in_schema=False)

    @router.get("/{alert_id}/frame.jpg")
    async def frame(request: Request, alert_id: str) -> Response:
        _, who = await _seen_by(desk, request, alert_id)
        found = await blocking(desk.parts.pictures.read, who, alert_id, "frame", desk.now_ms())
        if found is None:
            raise HTTPException(404)
        return Response(found, media_type="image/jpeg", headers=CACHED)

    @router.get("/{alert_id}/small.jpg")
    async def small(request: Request, alert_id: str) -> Response:
        alert, _ = await _seen_by(desk, request, alert_id)
        picture = await blocking(_small_of, desk.parts.evidence_root, _file(desk, alert), alert)
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


def _file(desk: Desk, alert: Alert) -> Path:
    try:
        return paths.alert_folder(desk.parts.evidence_root, alert) / paths.FRAME
    except ContractError as error:
        raise HTTPException(404) from error


def _small_of(root: Path, file: Path, alert: Alert) -> bytes:
    try:
        changed_ns = file.stat().st_mtime_ns
    except OSError as error:
        raise HTTPException(404) from error
    found = kept(root, alert)
    evidence = found.evidence if found else alert.evidence
    share = (0.0, 0.0, 1.0, 1.0)
    if evidence is not None and evidence.xyxy is not None:
        x1, y1, x2, y2 = evidence.xyxy
        width, height = evidence.width, evidence.height
        share = (x1 / width, y1 / height, x2 / width, y2 / height)
    return _cropped(file, changed_ns, share)


@lru_cache(maxsize=512)
def _cropped(file: Path, changed_ns: int, share: tuple[float, float, float, float]) -> bytes:
    """The part of the picture around `share` (0-1 of it) in the queue's shape; the key has the file's time."""
    try:
        with Image.open(file) as opened:
            opened.draft("RGB", (SMALL[0] * 4, SMALL[1] * 4))
            picture = opened.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise HTTPException(404) from error
    box = around(share, picture.size, SMALL[0] / SMALL[1])
    made = io.BytesIO()
    picture.resize(SMALL, Image.Resampling.BILINEAR, box=box).save(made, "JPEG", quality=80)
    return made.getvalue()


def around(
    share: tuple[float, float, float, float], size: tuple[int, int], ratio: float
) -> tuple[float, float, float, float]:
    """The part (xyxy, pixels) of a picture of `size` around a box (0-1): 1.8 of the box, of the shape `ratio`."""
    width, height = size
    x1, y1, x2, y2 = share[0] * width, share[1] * height, share[2] * width, share[3] * height
    tall = max((y2 - y1) * 1.8, (x2 - x1) * 1.8 / ratio, height * 0.25)
    tall = min(tall, height, width / ratio)
    wide = tall * ratio
    left = min(max((x1 + x2) / 2 - wide / 2, 0.0), width - wide)
    top = min(max((y1 + y2) / 2 - tall / 2, 0.0), height - tall)
    return left, top, left + wide, top + tall
