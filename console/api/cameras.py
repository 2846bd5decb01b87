"""Cameras: which there are, trying an address, adding, changing, adopting and removing one."""

from __future__ import annotations

import base64
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from msgspec.structs import replace

from console.api.base import WithParts, body, reply, spec
from console.api.objects import Editor, Viewer
from console.api.versions import Note, Version, add_history
from console.changes import ObjectView
from console.store.objects import ObjectKey
from contracts.assignment import agent_of
from contracts.config import AgentName, Camera, Input, Name
from contracts.edge_messages import CameraProbe

router = APIRouter(prefix="/api/cameras", tags=["cameras, zones, rules"])


class CameraView(msgspec.Struct, frozen=True, kw_only=True):
    """A camera as everybody may know it; where its pictures come from is in its object, for who may configure.

    `agent` reads it; null: the site's only one.
    """

    name: str
    friendly_name: str
    enabled: bool
    agent: str | None
    maintenance: bool
    zones: tuple[str, ...]
    lines: tuple[str, ...]
    labels: tuple[str, ...]


class CameraList(msgspec.Struct, frozen=True):
    """Cameras."""

    cameras: tuple[CameraView, ...]


class NewCamera(msgspec.Struct, frozen=True):
    """A camera without its zones and lines; `expected` is the version that it was changed on (0: none)."""

    camera: Camera
    note: Note = ""
    expected: Version | None = None


class Address(msgspec.Struct, frozen=True):
    """What to open once, what the camera will be called, and who is to look (needed where there are several agents)."""

    source: Input
    camera: Name = "camera"
    agent: AgentName | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent saw: a JPEG (base64) of at most 640 pixels' width, or the reason why there is none."""

    error: str
    jpeg: str
    width: int
    height: int
    fps: float
    codec: str
    agent: str
    took_s: float


def seen_of(probe: CameraProbe) -> Seen:
    """The agent's answer for a browser."""
    return Seen(
        error=probe.error,
        jpeg=base64.b64encode(probe.jpeg).decode(),
        width=probe.width,
        height=probe.height,
        fps=probe.fps,
        codec=probe.codec,
        agent=probe.agent,
        took_s=probe.took_s,
    )


def _key(camera: str) -> ObjectKey:
    return ObjectKey("camera", camera, "")


@router.get("", **spec(CameraList))
def cameras(parts: WithParts, who: Viewer) -> Response:
    """The cameras that one may see."""
    config = parts.changes.config()
    found = (
        CameraView(
            name=name,
            friendly_name=camera.friendly_name,
            enabled=camera.enabled,
            agent=agent_of(config, name),
            maintenance=camera.maintenance,
            zones=tuple(camera.zones),
            lines=tuple(camera.lines),
            labels=camera.objects.track,
        )
        for name, camera in config.cameras.items()
        if who.sees(name)
    )
    return reply(CameraList(tuple(found)))


@router.post("/try", **spec(Seen, takes=Address))
def try_camera(parts: WithParts, who: Editor, given: Annotated[Address, Depends(body(Address))]) -> Response:
    """Have the agent open an address once; that it can't, or is silent, is an answer too."""
    return reply(seen_of(parts.probes.ask(who, given.source, given.camera, given.agent or "")))


@router.put("/{camera}", **spec(ObjectView, takes=NewCamera, errors=(404, 409)))
def put_camera(
    camera: str, parts: WithParts, who: Editor, given: Annotated[NewCamera, Depends(body(NewCamera))]
) -> Response:
    """Add a camera, or change it: its agent and the jobs take it over while they run."""
    bare = replace(given.camera, zones={}, lines={}, maintenance=False)
    return reply(parts.changes.put(who, _key(camera), bare, note=given.note, expected=given.expected))


@router.delete("/{camera}", **spec(status=204, errors=(404, 409)))
def remove_camera(camera: str, parts: WithParts, who: Editor) -> Response:
    """Remove a camera that no rule names; its zones and lines go with it, its alerts and evidence stay."""
    parts.changes.remove(who, _key(camera))
    return Response(status_code=204)


@router.post("/{camera}/adopt", **spec(ObjectView, errors=(404,)))
def adopt_camera(camera: str, parts: WithParts, who: Editor) -> Response:
    """Take a camera over from the file, to change it here."""
    return reply(parts.changes.adopt(who, _key(camera)))


add_history(router, "/{camera}", _key, "a camera", seen_by="configure")
