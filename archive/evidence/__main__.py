"""`python -m archive.evidence`: keeps the evidence of alerts, and sightings of people, until SIGTERM or SIGINT."""

from __future__ import annotations

import os
import sys

from archive.collection.expiry import let_go
from archive.collection.sampling import begin_sampling
from archive.collection.store import Collection, collection_files
from archive.evidence.chain import Chain
from archive.evidence.clip import ClipMaker
from archive.evidence.clips import Clips
from archive.evidence.files import KEY_FILE, files_of
from archive.evidence.footage import KafkaFootage
from archive.evidence.kafka_frames import KafkaFrames
from archive.evidence.notes import Notes
from archive.evidence.privacy import Redact
from archive.evidence.redacting import redacting
from archive.evidence.retention import Retention
from archive.evidence.service import SOURCE, Aftermath, Service
from archive.evidence.writer import EvidenceWriter
from archive.letters import Letters
from archive.process import Process, begin, now_ms
from archive.sightings.thread import begin_keeping
from contracts.slots import slots
from vault import SigningKey, VaultError, master_key, signing_key

ABOUT = (
    "Keep the evidence of alerts: for each one a folder with the frame as it was sent, the drawn snapshot, what was "
    "seen in it, what was decided, and the clip. Reads `alerts` and `feedback` as the group vedette-evidence."
)
STATE_HELP = "the signing key; and evidence goes to DIR/evidence unless the config says so"

STOP_S = 2.0
CLIP_STOP_S = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes; returns the exit code, 2 for a wrong config."""
    process = begin("archive.evidence", ABOUT, STATE_HELP, arguments)
    if process is None:
        return 2
    try:
        sightings = begin_keeping(process, master_key(os.environ))
        key = signing_key(os.environ, process.state / KEY_FILE)
    except VaultError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with redacting(process) as redact:
            samples = begin_sampling(process, redact)
            try:
                _run(process, key, redact)
            finally:
                process.stop.set()
                if samples is not None:
                    samples.join(STOP_S)
    finally:
        process.stop.set()
        if sightings is not None:
            sightings.join(STOP_S)
    return 0


def _run(process: Process, key: SigningKey, redact: Redact) -> None:
    """The parts, at work until the process's `stop`."""
    config, bootstrap, stop, measured = process.config, process.bootstrap, process.stop, process.metrics
    files = files_of(config.evidence, process.state)
    chain = Chain(files, key, now_ms)
    names = {name: camera.friendly_name for name, camera in config.cameras.items()}
    zone = config.site.time_zone
    frames, footage = KafkaFrames(bootstrap, stop), KafkaFootage(bootstrap, stop)
    letters, notes = Letters(bootstrap, SOURCE, measured, now_ms), Notes(bootstrap, now_ms, stop)
    writer = EvidenceWriter(chain, frames, measured, names=names, time_zone=zone, redact=redact)
    partitions = {name: slot % config.kafka.partitions for name, slot in slots(config).items()}
    maker = ClipMaker(footage, config.evidence, partitions=partitions, names=names, time_zone=zone, redact=redact)
    clips = Clips(files, chain, maker, config.evidence, measured, now_ms) if config.evidence.clips else None
    retention = Retention(files, chain, config.evidence, measured, notes.tell, stop.is_set, config.faces.retention)
    collection, keep_days = Collection(collection_files(config.learning, process.state)), config.learning.keep_days
    sweeps = (retention.sweep, lambda at_ms: let_go(collection, files, keep_days, at_ms))
    aftermath = Aftermath(clips, sweeps, notes, now_ms, stop)
    aftermath.start()
    try:
        Service(bootstrap, files, chain, writer, clips, letters, stop).run()
    finally:
        stop.set()
        # A clip that is being made is left: it is made again after the next start.
        ended = aftermath.join(CLIP_STOP_S)
        for one in (frames, letters, *((footage, notes) if ended else ())):
            one.close()


if __name__ == "__main__":
    sys.exit(main())
