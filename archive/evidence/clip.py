"""One alert's clip: the frames around it out of the log, at their real times, as a film that every browser plays.

Agents send what was worth sending (gated frames), so between two pictures may lie more time than between two others.
"""

from __future__ import annotations

import datetime as dt
import itertools
import tempfile
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

import cv2
import msgspec

from archive.evidence.draw import Picture, plain, subtitle_height, subtitled
from archive.evidence.encode import Shot, encoded
from archive.evidence.footage import Footage, Wanted
from archive.evidence.frames import FrameMissed
from archive.evidence.privacy import Redact, picture_of
from archive.evidence.shelf import Shelf
from contracts import topics
from contracts.config import EvidenceStore
from contracts.messages import Alert

GONE = "the pictures of that time are deleted already"
NONE_SENT = "the camera sent no frame then"
NONE_THERE = "no frame of that time lies where the config puts the camera's; cameras of the console can move it"


class ClipInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the clip shows, or with no `frames` the `reason` why there is none.

    `cut`: the log began after the wanted time. `bounded`: the alert went on for longer than a clip may be. `going_on`:
    it had not ended when the clip was made. `stays`: why that clip was not made anew when it did. `unreadable` frames
    were damaged or no pictures. `seconds` lie between the first and the last frame.
    """

    v: int = 1
    alert: str
    wanted_from_ms: int
    wanted_until_ms: int
    frames: int = 0
    seconds: float = 0.0
    from_ms: int = 0
    until_ms: int = 0
    longest_gap_ms: int = 0
    width: int = 0
    height: int = 0
    unreadable: int = 0
    cut: bool = False
    bounded: bool = False
    going_on: bool = False
    stays: str = ""
    reason: str = ""


class Clip(NamedTuple):
    """The film (None where there is none) and what it shows."""

    info: ClipInfo
    mp4: bytes | None


class Window(NamedTuple):
    """The time that a clip is to show; `bounded` where the alert went on for longer, or may."""

    from_ms: int
    until_ms: int
    bounded: bool


def window_of(alert: Alert, config: EvidenceStore) -> Window:
    """From before the alert's start to after its end, as far as that is known, and no longer than a clip may be."""
    from_ms = alert.started_at_ms - round(config.pre_s * 1000)
    last_ms = from_ms + round(config.clip_max_s * 1000)
    if alert.state != "end":
        return Window(from_ms, min(last_ms, from_ms + round(config.clip_first_s * 1000)), True)
    until_ms = (alert.ended_at_ms or alert.at_ms) + round(config.post_s * 1000)
    return Window(from_ms, min(until_ms, last_ms), until_ms > last_ms)


def instead(kept: ClipInfo, anew: Clip) -> Clip:
    """What there is to be in the place of a clip that is `kept` already: the one made anew, unless the log lost frames.

    Both begin at the same time, and the log loses its oldest frames first: so a clip that begins later lacks something.
    """
    if not kept.frames or (anew.mp4 is not None and anew.info.from_ms <= kept.from_ms):
        return anew
    lost = anew.info.wanted_until_ms > kept.wanted_until_ms
    why = (anew.info.reason or GONE) if lost else ""
    return Clip(msgspec.structs.replace(kept, going_on=anew.info.going_on, stays=why), None)


class ClipMaker:
    """Makes clips. `partitions` say where an alert without a frame of its own has its camera's, in the frames topic."""

    def __init__(
        self,
        footage: Footage,
        config: EvidenceStore,
        *,
        partitions: Mapping[str, int],
        names: Mapping[str, str],
        time_zone: str,
        redact: Redact,
    ) -> None:
        self._footage = footage
        self._config = config
        self._partitions = partitions
        self._names = names
        self._time_zone = zoneinfo.ZoneInfo(time_zone)
        self._redact = redact

    def make(self, alert: Alert) -> Clip:
        """The clip of an alert whose time has come; raises BusError (later) or Stopped."""
        wanted = self._wanted(alert, window_of(alert, self._config))
        if wanted is None:
            return self.without(alert, f"camera {alert.camera} is not in the config")
        with tempfile.TemporaryFile(prefix="vedette-roll-") as disk:
            try:
                roll = self._footage.roll(wanted)
                shelf = Shelf(disk)
                for frame in roll.frames:
                    shelf.put(frame)
            except FrameMissed as error:
                return self.without(alert, error.details)
            if shelf.size is None:
                known = NONE_THERE if alert.evidence is None else NONE_SENT
                return self.without(alert, _unreadable(shelf) if shelf.times_ms else GONE if roll.cut else known)
            return self._filmed(alert, shelf, shelf.size, cut=roll.cut)

    def without(self, alert: Alert, reason: str) -> Clip:
        """Why there is no clip."""
        return Clip(msgspec.structs.replace(self._info(alert), reason=reason), None)

    def _info(self, alert: Alert) -> ClipInfo:
        window = window_of(alert, self._config)
        return ClipInfo(
            alert=alert.id,
            wanted_from_ms=window.from_ms,
            wanted_until_ms=window.until_ms,
            bounded=window.bounded,
            going_on=alert.state != "end",
        )

    def _wanted(self, alert: Alert, window: Window) -> Wanted | None:
        if alert.evidence is not None:
            ref = alert.evidence.ref
            return Wanted(ref.topic, ref.partition, alert.camera, window.from_ms, window.until_ms)
        partition = self._partitions.get(alert.camera)
        topic = topics.frames_late(alert.site) if alert.late else topics.frames(alert.site)
        return None if partition is None else Wanted(topic, partition, alert.camera, window.from_ms, window.until_ms)

    def _filmed(self, alert: Alert, shelf: Shelf, size: tuple[int, int], *, cut: bool) -> Clip:
        """The frames on the shelf as a film of `size` with a line of text below it."""
        times_ms = shelf.times_ms
        seconds = (times_ms[-1] - times_ms[0]) / 1000
        said = f"gated: {len(times_ms)} frames over {seconds:.1f} s"
        camera = plain(self._names.get(alert.camera) or alert.camera, otherwise=alert.camera)
        unreadable = 0

        def shots() -> Iterator[Shot]:
            nonlocal unreadable
            for frame in shelf.frames():
                try:
                    picture = _fitted(picture_of(frame, self._redact), size)
                except FrameMissed:
                    unreadable += 1
                    continue
                when = f"{camera}  {self._local(frame.captured_at_ms)}"
                yield Shot(frame.captured_at_ms - times_ms[0], subtitled(picture, when, said))

        height = size[1] + subtitle_height(size[1])
        mp4 = encoded(shots(), (size[0], height), f"{alert.id} {camera} {said}")
        if unreadable == len(times_ms):
            return self.without(alert, _unreadable(shelf))
        gaps_ms = [after - before for before, after in itertools.pairwise(times_ms)]
        return Clip(
            msgspec.structs.replace(
                self._info(alert),
                frames=len(times_ms) - unreadable,
                seconds=seconds,
                from_ms=times_ms[0],
                until_ms=times_ms[-1],
                longest_gap_ms=max(gaps_ms, default=0),
                width=size[0],
                height=height,
                unreadable=unreadable,
                cut=cut,
            ),
            mp4,
        )

    def _local(self, at_ms: int) -> str:
        local = dt.datetime.fromtimestamp(at_ms / 1000, self._time_zone)
        return f"{local:%a %d %b %Y %H:%M:%S}.{local.microsecond // 100_000} {local:%Z}"


def _unreadable(shelf: Shelf) -> str:
    return f"none of {len(shelf.times_ms)} frames is a picture"


def _fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture in the clip's size."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    return cast(Picture, cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
