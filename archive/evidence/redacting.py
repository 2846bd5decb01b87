"""What hides faces in the evidence process, put together: who is watched for, which cameras, where the people are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archive.anonymise import Picture
from archive.evidence.anonymise import Anonymiser
from archive.evidence.kafka_boxes import KafkaBoxes
from archive.evidence.privacy import Redact
from archive.evidence.veiled import VeiledCameras
from archive.process import Process, now_ms
from archive.watch_list import WatchList
from bus.errors import BusError
from bus.follower import Follower
from contracts import topics
from contracts.face_models import face_manifests
from contracts.fields import Xyxy
from contracts.manifest import load_manifest
from stream.vision.faces import FaceLocaliser
from stream.vision.session import SessionOptions

RETRY_S = 1.0


class WholeFaces:
    """The faces of whole pictures; the localiser is opened for the first one. Threads may share it."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        self._lock = threading.Lock()
        self._localiser: FaceLocaliser | None = None

    def __call__(self, picture: Picture) -> Iterator[Xyxy]:
        """Where they are, px of the picture; raises ModelError."""
        with self._lock:
            if self._localiser is None:
                manifest = load_manifest(self._manifest)
                self._localiser = FaceLocaliser.open(manifest, self._manifest.parent, SessionOptions(device="cpu"))
        for face in self._localiser.everywhere(picture):
            yield face.xyxy


@contextmanager
def redacting(process: Process) -> Iterator[Redact]:
    """The Redact of this process, which has read who is watched for and which cameras anonymise before it is given."""
    config = process.config
    site = config.site.name
    cameras = VeiledCameras(site, (name for name, camera in config.cameras.items() if camera.faces.anonymise))
    watch_list = WatchList(site, config.faces.watch_lists)
    boxes = KafkaBoxes(process.bootstrap, config.kafka.partitions, now_ms, process.stop)
    followers = [Follower(process.bootstrap, topics.CONTROLS, cameras.take)]
    if config.faces.watch_lists:
        followers.append(Follower(process.bootstrap, topics.GALLERY, watch_list.take))
    localiser = face_manifests(config, process.config_file.parent).localiser
    try:
        for follower in followers:
            _started(follower, process.stop)
        yield Anonymiser(cameras.__contains__, boxes, watch_list, WholeFaces(localiser))
    finally:
        boxes.close()  # the followers end with the process


def _started(follower: Follower, stop: threading.Event) -> None:
    """Begun, or `stop` is set: a broker that is away is waited for."""
    while not stop.is_set():
        try:
            return follower.start()
        except BusError:
            stop.wait(RETRY_S)
