"""Models that change under load: what becomes of the frames, how long they take, and how soon a bad one is gone.

    python -m tests.bench rollout [--shared DIR]

A real broker and the real jobs with the bundled detector; two cameras at 10 frames/s show one picture of the clip. Each
of the 20 models is opened anew, five seconds before its time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
from msgspec.structs import replace

from contracts.controls import SetModel
from contracts.manifest import load_manifest
from contracts.messages import Frame
from tests.bench.report import Row, at_most, missing
from tests.bench.site import recorded_clip
from tests.builders import jpeg_of
from tests.jobs.swaps import CAMERAS, Cameras, Swap, Told, ends, now_ms, swap, swap_often, told
from tests.jobs.world import CONFIG, SiteUnderTest, frame_of
from vedette.errors import SetupError
from vedette.local import BUNDLED

SWAPS = 20
EVERY_S = 3.0
WARM_UP_S = 20.0
"""The JVM compiles what is hot in its first thousands of frames."""
SITE = CONFIG | {"stream": {"metrics_port": 0}}

Say = Callable[[str], None]


def rollout(shared: Path, _python: Path | None, say: Say) -> list[Row]:
    """20 swaps everywhere, then a canary that finds nothing."""
    try:
        pictures = {camera: _picture(recorded_clip(shared), camera) for camera in CAMERAS}
    except SetupError as error:
        return [missing("rollout", "needs a clip", error.found)]
    manifest = load_manifest(BUNDLED)
    with (
        tempfile.TemporaryDirectory(prefix="vedette-rollout-") as folder,
        SiteUnderTest(Path(folder), SITE) as site,
        Cameras(site, pictures) as cameras,
    ):
        time.sleep(WARM_UP_S)
        begun_ms = now_ms()
        versions = [replace(manifest, version=f"{manifest.version}-{number}") for number in range(SWAPS)]
        swaps = swap_often(site, versions, str(BUNDLED.parent), EVERY_S)
        blind = replace(manifest, version="blind", low_threshold=1.0, thresholds={"default": 1.0})
        canary = swap(site, SetModel(manifest=blind, folder=str(BUNDLED.parent), stage="canary", cameras=("gate",)))
        site.wait("the canary's end", lambda: canary.model in ends(site))
        sent = cameras.sent
        site.wait("all frames", lambda: all(len(told(site).counts(camera)) >= sent for camera in CAMERAS))
        found, (ended_ms, change) = told(site), ends(site)[canary.model]
    say(f"  {change.model} was taken back: {change.reason}")
    gone_s = (ended_ms - canary.from_ms) / 1000
    return [
        *_swapped(found, manifest.id, swaps, begun_ms, sent, canary, say),
        at_most("rollout", "a canary that finds nothing is gone after", gone_s, 60, " s"),
        _none("the bad canary's detections at the other camera", _of(found, "yard", canary.model)),
    ]


def _swapped(found: Told, first: str, swaps: list[Swap], begun_ms: int, sent: int, canary: Swap, say: Say) -> list[Row]:
    counts = [count for camera in CAMERAS for count in map(found.counts(camera).__getitem__, range(sent))]
    before = Told([one for one in found.detections if one.captured_at_ms < canary.from_ms])
    within_ms, without_ms = before.p95_ms(begun_ms, swaps)
    what = f"p95 in the second of a swap ({within_ms:.0f} ms) against the others ({without_ms:.0f} ms)"
    say(f"  {sent} frames a camera, {len(swaps)} swaps; {what}")
    return [
        _none(f"of {len(counts)} frames lost in {len(swaps)} swaps", counts.count(0)),
        _none("frames told twice", sum(count > 1 for count in counts)),
        _none("frames with another model than the one of their time", len(before.misplaced(first, swaps))),
        at_most("rollout", what, within_ms / without_ms, 2.0, " times"),
    ]


def _of(found: Told, camera: str, model: str) -> int:
    return sum(one.camera == camera and one.model == model for one in found.detections)


def _none(what: str, count: int) -> Row:
    return at_most("rollout", what, count, 0, digits=0)


def _picture(clip: Path, camera: str) -> Frame:
    """A picture from the middle of the clip, as the camera's."""
    video = cv2.VideoCapture(str(clip))
    video.set(cv2.CAP_PROP_POS_FRAMES, video.get(cv2.CAP_PROP_FRAME_COUNT) // 2)
    there, picture = video.read()
    video.release()
    if not there:
        raise SetupError(f"{clip} can't be read", "Give another --shared")
    return frame_of(camera, 0, jpeg_of(picture, 85), picture.shape[1], picture.shape[0])
