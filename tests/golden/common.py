"""Parts that several samples are made of."""

from __future__ import annotations

import msgspec

from contracts.attributes import TrackAttribute
from contracts.config import (
    Camera,
    Detect,
    Filter,
    Input,
    Mask,
    Motion,
    Objects,
)
from contracts.messages import (
    Condition,
    Evidence,
    FrameRef,
    Look,
)

AT_MS = 1_767_571_200_123
REF = FrameRef("frames.home", 1, 4711)
SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
LOOK = Look(kind="face", model="faces@2", quality=0.5, xyxy=(1.0, 2.0, 3.0, 4.0), vector=b"\0\1", values={"age": 41.5})
EVIDENCE = Evidence(
    ref=REF, captured_at_ms=AT_MS, width=1920, height=1080, xyxy=(1.5, 2.5, 30.0, 40.0), confidence=0.75, detail=True
)
EMBEDDED = msgspec.structs.replace(EVIDENCE, embedding=b"\x00\x3c\x00\xbc")
TRACE = (Condition("zone", "in yard", "in yard"), Condition("after_s", "30", "12.5", False))
CAMERA = Camera(
    inputs=(Input(url="rtsp://viewer:{GATE_PASSWORD}@gate/sub", roles=("detect",), open_timeout_s=5.0),),
    enabled=False,
    friendly_name="Gate",
    slot=3,
    position=(0.25, 0.5),
    metres_per_pixel=0.125,
    detect=Detect(fps=5.0, detail_fps=1.0, height=720, jpeg_quality=90, heartbeat_s=2.0),
    motion=Motion(enabled=True, threshold=20.0, area=0.25, linger_s=1.0),
    masks={"window": Mask(coordinates=SQUARE)},
    objects=Objects(track=("person",), filters={"person": Filter(min_score=0.5, min_area=0.25, max_area=0.5)}),
)
ATTRIBUTE = TrackAttribute(name="hard_hat", value="no", confidence=0.9375, looks=4, model="hard-hat@1")
