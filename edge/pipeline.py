"""What happens to one camera's pictures: sampler, motion gate, tamper checks, privacy masks, JPEG, frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from contracts.fields import Tamper
from contracts.messages import Frame
from contracts.trace import first, sampled
from edge.encode import encode_jpeg
from edge.motion import Image, MotionGate, small_grey
from edge.privacy import burn
from edge.sampler import Sampler, SamplerConfig, SamplerState, Worth
from edge.settings import CameraSettings
from edge.source import Shot
from edge.tamper import TamperCheck, TamperConfig, TamperState, appearance

LOOK_EVERY_MS = 200
"""The gate and the tamper checks look five times a second, however many pictures are sent."""

SHARPNESS_EVERY_MS = 1000
"""Sharpness needs the full picture and costs as much as the gate of ten pictures."""

Detail = Callable[[], tuple[Image, int] | None]
"""Gives a picture of the detail input with its time of capture, when there is a fresh one."""


class Pipeline:
    """Turns the shots of one camera into frames; one thread calls `take`."""

    def __init__(
        self, session: int, settings: CameraSettings, *, every_frame: bool = False, first_index: int = 0
    ) -> None:
        self.session = session
        self._every_frame = every_frame
        self._index = first_index - 1
        self._sampling = SamplerState()
        self._gate = MotionGate(settings.motion_threshold)
        self._tamper_check = TamperCheck(TamperConfig())
        self._tamper_state = TamperState()
        self._sharpness_at_ms: int | None = None
        self._looked_at_ms: int | None = None
        self._motion = 0.0
        self.tamper: tuple[Tamper, ...] = ()
        self.size: tuple[int, int] = (0, 0)
        self.detail_size: tuple[int, int] | None = None

    def take(self, shot: Shot, settings: CameraSettings, detail: Detail | None = None) -> tuple[Frame, Worth] | None:
        """The frame to send for this shot, if it is worth one; a recording's last always is. Raises CameraError."""
        self._index += 1
        sampler = self._sampler(settings)
        self._sampling, due = sampler.observe(self._sampling, shot.captured_at_ms)
        if not due and not shot.last:
            return None
        picture = shot.picture()
        self.size = (picture.shape[1], picture.shape[0])
        motion = 0.0 if self._every_frame else self._motion_in(picture, shot.captured_at_ms, settings)
        self._sampling, decision = sampler.step(self._sampling, shot.captured_at_ms, motion)
        if not decision.send and not shot.last:
            return None
        if detail is None or not decision.detail:
            return self._frame(picture, shot, settings, shot.captured_at_ms, motion, decision.detail), decision.worth
        fresh = detail()
        if fresh is None:
            worth: Worth = "motion" if decision.worth == "detail" else decision.worth
            return self._frame(picture, shot, settings, shot.captured_at_ms, motion, False), worth
        picture, captured_at_ms = fresh
        self.detail_size = (picture.shape[1], picture.shape[0])
        return self._frame(picture, shot, settings, captured_at_ms, motion, True), decision.worth

    @property
    def next_index(self) -> int:
        """The index of the next picture: a camera that is read anew goes on with it."""
        return self._index + 1

    def _sampler(self, settings: CameraSettings) -> Sampler:
        return Sampler(
            SamplerConfig(
                fps=settings.fps,
                detail_fps=settings.detail_fps,
                heartbeat_s=settings.heartbeat_s,
                linger_s=settings.linger_s,
                motion_area=settings.motion_area,
                gate=settings.gate,
                every_frame=self._every_frame,
            )
        )

    def _motion_in(self, picture: Image, captured_at_ms: int, settings: CameraSettings) -> float:
        """The motion in this picture, or what was measured less than a look ago."""
        # A picture that is a quarter early by jitter is looked at: the next one would be too late.
        if self._looked_at_ms is None or abs(captured_at_ms - self._looked_at_ms) > 0.75 * LOOK_EVERY_MS:
            self._looked_at_ms = captured_at_ms
            self._motion = self._look(picture, captured_at_ms, settings)
        return self._motion

    def _look(self, picture: Image, captured_at_ms: int, settings: CameraSettings) -> float:
        """Check for tamper on what the camera shows, then measure motion outside the masks."""
        small = small_grey(picture)
        sharp = self._sharpness_at_ms is None or abs(captured_at_ms - self._sharpness_at_ms) >= SHARPNESS_EVERY_MS
        if sharp:
            self._sharpness_at_ms = captured_at_ms
        look = appearance(small, picture if sharp else None)
        self._tamper_state, self.tamper = self._tamper_check.step(self._tamper_state, captured_at_ms, look)
        burn(small, settings.masks)
        return self._gate.measure(small, captured_at_ms, settings.motion_threshold)

    def _frame(
        self, picture: Image, shot: Shot, settings: CameraSettings, captured_at_ms: int, motion: float, detail: bool
    ) -> Frame:
        jpeg = encode_jpeg(
            picture,
            height=None if detail else settings.height,
            quality=settings.jpeg_quality,
            masks=settings.masks,
        )
        width, height = self.detail_size or self.size
        return Frame(
            site=settings.site,
            camera=settings.camera,
            session=self.session,
            index=self._index,
            captured_at_ms=captured_at_ms,
            width=width,
            height=height,
            detail=detail,
            motion=round(motion, 6),
            sha256=hashlib.sha256(jpeg).hexdigest(),
            jpeg=jpeg,
            last=shot.last,
            traceparent=self._traceparent(settings, captured_at_ms),
        )

    def _traceparent(self, settings: CameraSettings, captured_at_ms: int) -> str:
        if not sampled(self._index, settings.traced_share):
            return ""
        return first(settings.site, settings.camera, self.session, self._index, captured_at_ms)
