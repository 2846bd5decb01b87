"""`python -m archive.evidence`: keeps the pictures of alerts until SIGTERM or SIGINT."""

from __future__ import annotations

import os
import sys

from archive.evidence.kafka_frames import KafkaFrames
from archive.evidence.paths import evidence_root
from archive.evidence.service import SOURCE, Service
from archive.evidence.writer import EvidenceWriter
from archive.letters import Letters
from archive.process import begin, now_ms
from archive.sightings.thread import begin_keeping
from vault import VaultError, master_key

ABOUT = (
    "Keep the pictures of alerts: for each one a folder with the frame as it was sent, the drawn snapshot, what was "
    "seen in it and the alert itself. Reads `alerts` as the group vedette-evidence."
)

STOP_S = 2.0


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes; returns the exit code, 2 for a wrong config."""
    process = begin("archive.evidence", ABOUT, "pictures go to DIR/evidence unless the config says so", arguments)
    if process is None:
        return 2
    config = process.config
    try:
        sightings = begin_keeping(process, master_key(os.environ))
    except VaultError as error:
        print(error, file=sys.stderr)  # noqa: T201  for the person who started it
        return 2
    frames = KafkaFrames(process.bootstrap, process.stop)
    letters = Letters(process.bootstrap, SOURCE, process.metrics, now_ms)
    writer = EvidenceWriter(
        evidence_root(config, process.state),
        frames,
        process.metrics,
        names={name: camera.friendly_name for name, camera in config.cameras.items()},
        time_zone=config.site.time_zone,
    )
    try:
        Service(
            process.bootstrap, writer, letters, keep_days=config.evidence.keep_days, clock=now_ms, stop=process.stop
        ).run()
    finally:
        frames.close()
        letters.close()
        if sightings is not None:
            sightings.join(STOP_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
