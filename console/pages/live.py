"""The live page: a wall of cameras with moving pictures, one of them large, each with its state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from console.auth.guard import caller_of
from console.live.wall import GRACE_MS, LATE_MS, Picture, Place, Wall
from console.missed import Box, Still
from console.pages import texts
from console.pages.desk import Desk, Visit, blocking
from console.pages.panel import Panel
from console.pages.pictures import last_kept
from console.rights import Who
from contracts.config import LABELS, Camera, detect_of
from contracts.decoding import convert

TICK_S = 0.04
FRESH_MS = 2_000
"""A picture to draw on may be so old before a newer one is waited for."""

STATE_S = 1.0
"""How often states are sent: a page that hears nothing for three of them shows nothing as live."""


class LiveWall(Panel, component="live.js"):
    """The wall."""


async def live_page(visit: Visit) -> None:
    """What is at /live."""
    config = (await blocking(visit.desk.parts.changes.config)).cameras
    shown = [name for name in config if config[name].enabled and visit.who.sees(name)]
    cameras = [_camera(visit, name, config[name]) for name in shown]
    start = {
        "cameras": cameras,
        "large": visit.request.query_params.get("camera", ""),
        "late_ms": LATE_MS,
        "labels": LABELS,
    }

    async def missed(still: dict[str, Any], box: dict[str, Any]) -> None:
        told = convert(still, Still), convert(box, Box)
        await blocking(visit.desk.parts.missed.on_still, visit.who, *told)

    LiveWall({"missed": missed}, visit.check, visit.props(texts.LIVE | texts.MISSING, start))


def _camera(visit: Visit, name: str, camera: Camera) -> dict[str, Any]:
    return {
        "name": name,
        "title": visit.desk.camera_name(name),
        "zones": [{"name": zone, "points": one.coordinates} for zone, one in camera.zones.items()],
        "lines": [{"name": line, "points": one.coordinates} for line, one in camera.lines.items()],
    }


def routes(desk: Desk) -> APIRouter:
    """The stream of pictures: one connection for all cameras of a page (browsers open six to a server)."""
    router = APIRouter(prefix="/live", include_in_schema=False)

    @router.get("/stream")
    async def stream(request: Request, camera: str = "") -> StreamingResponse:
        who = caller_of(request).who
        if who is None or not who.may("see"):
            raise HTTPException(401)
        wanted = frozenset(name for name in desk.wall.cameras() if who.sees(name) and camera in ("", name))
        await _watched(desk, who, camera or "all cameras")
        parts = _parts(desk, wanted, request, who)
        return StreamingResponse(parts, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    @router.get("/picture/{camera}.jpg")
    async def picture(request: Request, camera: str) -> Response:
        who = caller_of(request).who
        if who is None or not who.may("see"):
            raise HTTPException(401)
        if camera not in desk.wall.cameras() or not who.sees(camera):
            raise HTTPException(404)
        newest = await _next_picture(desk, camera)
        if newest:
            await _watched(desk, who, camera)
        jpeg = await _jpeg(desk, newest) if newest else await blocking(last_kept, desk, who, camera)
        if jpeg is None:
            raise HTTPException(404)
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return router


async def _watched(desk: Desk, who: Who, subject: str) -> None:
    audit = desk.store.audit
    await blocking(audit.record, at_ms=desk.now_ms(), who=who.name, action="live.watch", subject=subject)


async def _next_picture(desk: Desk, camera: str) -> Picture | None:
    """The camera's picture of now; one that comes within a heartbeat when nobody has watched."""
    if desk.wall.state(camera, desk.now_ms()).standing != "live":
        return desk.wall.pictures(desk.now_ms(), frozenset({camera})).get(camera)
    desk.reader.watch()
    try:
        until_ms = desk.now_ms() + round((detect_of(desk.config, camera).heartbeat_s or 0) * 1000) + GRACE_MS
        while desk.now_ms() < until_ms:
            now_ms = desk.now_ms()
            found = desk.wall.pictures(now_ms, frozenset({camera})).get(camera)
            if found is not None and now_ms - found.received_at_ms < FRESH_MS:
                return found
            await asyncio.sleep(TICK_S)
        return desk.wall.pictures(desk.now_ms(), frozenset({camera})).get(camera)
    finally:
        desk.reader.leave()


async def _parts(desk: Desk, wanted: frozenset[str], request: Request, who: Who) -> AsyncIterator[bytes]:
    """States once a second, pictures as they come. A slow browser skips pictures: `yield` waits for it."""
    sent: dict[str, Place] = {}
    boxed: set[tuple[str, Place]] = set()
    told_at_ms = 0
    desk.reader.watch()
    try:
        while True:
            now_ms = desk.now_ms()
            if now_ms - told_at_ms >= STATE_S * 1000:
                if await desk.still(request) != who:  # signed out, or not allowed any more
                    return
                told_at_ms = now_ms
                states = {name: _state(desk.wall, name, now_ms) for name in wanted}
                yield part({"now_ms": now_ms, "states": states, "names": await _names(desk, who)})
            for name, picture in desk.wall.pictures(now_ms, wanted).items():
                key = (name, picture.place)
                if sent.get(name) != picture.place:
                    sent[name] = picture.place
                    boxed = {one for one in boxed if one[0] != name}
                    yield part(_shown(picture), await _jpeg(desk, picture))
                elif picture.tracks is not None and key not in boxed:  # its boxes came late
                    again = await _jpeg(desk, picture) if desk.veil.covers(name) else b""
                    yield part(_shown(picture), again)
                if picture.tracks is not None:
                    boxed.add(key)
            await asyncio.sleep(TICK_S)
    finally:
        desk.reader.leave()


async def _names(desk: Desk, who: Who) -> dict[str, str]:
    """What people are called, for those who answer alerts, which say it too; for others somebody is known or not."""
    return await blocking(desk.person_names) if who.may("answer") else {}


async def _jpeg(desk: Desk, picture: Picture) -> bytes:
    """The picture as it may be shown."""
    covered = desk.veil.covers(picture.frame.camera)
    return await blocking(desk.veil.jpeg, picture) if covered else picture.frame.jpeg


def part(head: dict[str, Any], jpeg: bytes = b"") -> bytes:
    """One part of the stream: two lengths (big-endian, 4 bytes each), JSON, picture."""
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "big") + len(jpeg).to_bytes(4, "big") + text + jpeg


def _shown(picture: Picture) -> dict[str, Any]:
    frame, tracks = picture.frame, picture.tracks
    return {
        "camera": frame.camera,
        "captured_at_ms": frame.captured_at_ms,
        "index": frame.index,
        "width": frame.width,
        "height": frame.height,
        "partition": picture.ref.partition if picture.ref else None,
        "offset": picture.ref.offset if picture.ref else None,
        "boxes": [
            {
                "id": one.track_id,
                "xyxy": one.xyxy,
                "label": one.label,
                "still": one.stationary,
                "seen": one.observed,
                "person": one.identity.person_id if one.identity else "",
                "decision": one.identity.decision if one.identity else "",
            }
            for one in (tracks.tracks if tracks else ())
            if not one.gone
        ],
    }


def _state(wall: Wall, camera: str, now_ms: int) -> dict[str, Any]:
    state = wall.state(camera, now_ms)
    status = state.status
    told: dict[str, Any] = {"standing": state.standing, "age_ms": state.age_ms, "picture_at_ms": state.picture_at_ms}
    told["delay_ms"] = state.delay_ms
    if status is not None:
        told |= {
            "reason": status.reason,
            "tamper": status.tamper,
            "captured_fps": status.captured_fps,
            "sent_fps": status.sent_fps,
            "size": f"{status.width} × {status.height}" if status.width else "",
            "counters": msgspec.to_builtins(status.counters),
            "spool_bytes": status.spool_bytes,
            "clock_offset_ms": status.clock_offset_ms,
            "agent": status.agent,
        }
    return told
