"""What hides faces in the evidence process, put together: who is watched for, which cameras, where the people are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from archive.evidence.anonymise import Anonymiser
from archive.evidence.kafka_boxes import KafkaBoxes
from archive.evidence.privacy import Redact
from archive.evidence.veiled import VeiledCameras
from archive.people.whole_faces import WholeFaces
from archive.process import Process, now_ms
from archive.watch_list import WatchList
from bus.errors import BusError
from bus.follower import Follower
from contracts import topics
from contracts.face_models import face_manifests

RETRY_S = 1.0


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
        yield Anonymiser(cameras.__contains__, boxes, watch_list, WholeFaces(localiser), process.metrics)
    finally:
        boxes.close()  # the followers end with the process


def _started(follower: Follower, stop: threading.Event) -> None:
    """Begun, or `stop` is set: a broker that is away is waited for."""
    while not stop.is_set():
        try:
            return follower.start()
        except BusError:
            stop.wait(RETRY_S)
