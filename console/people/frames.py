"""Single frames out of the log, for faces that are kept nowhere else: bounded in time, none when it is gone."""

from __future__ import annotations

import logging
import threading

from archive.people import Picture, PictureError, opened
from bus.errors import BusError
from bus.lookup import Lookup
from contracts.codec import decode
from contracts.errors import ContractError
from contracts.fields import Xyxy
from contracts.messages import Frame, FrameRef

log = logging.getLogger(__name__)

WAIT_S = 2.0


class Frames:
    """The frames topics. Connects at the first use; threads wait for each other."""

    def __init__(self, bootstrap: str) -> None:
        self._lookup = Lookup(bootstrap)
        self._lock = threading.Lock()

    def picture(self, ref: FrameRef, camera: str) -> tuple[Picture, Frame] | None:
        """The frame's picture; None where it is gone, is another camera's, or the broker gives none in WAIT_S."""
        with self._lock:
            try:
                record = self._lookup.record(ref.topic, ref.partition, ref.offset, WAIT_S, lambda: False)
            except BusError as error:
                log.info("%s[%d] %d: %s", ref.topic, ref.partition, ref.offset, error)
                return None
        if record is None or record.offset != ref.offset:
            return None
        try:
            frame = decode(record.value or b"", Frame)
            return (opened(frame.jpeg), frame) if frame.camera == camera else None
        except (ContractError, PictureError) as error:
            log.info("%s[%d] %d: %s", ref.topic, ref.partition, ref.offset, error)
            return None

    def close(self) -> None:
        """Give the connection up."""
        with self._lock:
            self._lookup.close()


def scaled(box: Xyxy, picture: Picture, size: tuple[int, int]) -> Xyxy:
    """A box in pixels of the camera's picture (width, height) as pixels of a copy of it that may be smaller."""
    x, y = picture.shape[1] / size[0], picture.shape[0] / size[1]
    return (box[0] * x, box[1] * y, box[2] * x, box[3] * y)
