"""`vedette replay --compare A B`: the same pictures under two models or configs, and what each would have told.

Both runs are replays: a broker of their own, the jobs as they are, the pictures' own time. The pictures of incidents
are taken out of the run's broker before it goes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from archive.evidence.frames import FrameMissed
from archive.evidence.kafka_frames import KafkaFrames
from archive.explain.explaining import OPTIONS, explain_box
from contracts.config import Config
from contracts.config_file import load
from contracts.decoding import from_json
from contracts.errors import ConfigError
from contracts.face_models import manifest_path
from contracts.manifest import ModelManifest, load_manifest
from contracts.messages import Alert
from stream.vision.session import Session
from vedette.compare_report import Side, write_report
from vedette.heats import Heats, heats
from vedette.incidents import Comparison, compare, told_last
from vedette.replay import Recording, ReplayOptions, replay

MOST_PICTURES = 200
"""So many incidents of a run are shown: a picture is 30 to 60 KB, and a page of 20 MB still opens."""
MOST_HEATS = 6
"""So many of a side have a heat map: each is a hundred looks of the model, two or three seconds of a core."""
Pictures = Mapping[tuple[str, str], bytes]
"""JPEGs by camera and alert."""


@dataclass(frozen=True)
class Setup:
    """One side: how it is called, the config that it runs under and the file that this came from."""

    name: str
    config: Config
    config_file: Path


@dataclass
class Run:
    """What one side told, how long that took, and the JPEGs of its incidents by (camera, alert id)."""

    setup: Setup
    recording: Recording
    took_s: float
    pictures: dict[tuple[str, str], bytes] = field(default_factory=dict)


def setup_of(given: Path, config: Path | None) -> Setup:
    """A side as it was named: a model's manifest, that runs under `config`, or a config. Raises ConfigError."""
    if given.suffix != ".json":
        return Setup(given.stem, load(given), given)
    if config is None:
        raise ConfigError("--config", f"{given} is a model: say under which config it is to run")
    try:
        manifest = from_json(given.read_bytes(), ModelManifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError("--compare", f"{given}: {error}") from error
    ours = load(config)
    stream = msgspec.structs.replace(ours.stream, model=str(given.resolve()))
    return Setup(manifest.id, msgspec.structs.replace(ours, stream=stream), config)


def compare_runs(
    sides: tuple[Setup, Setup],
    options: Callable[[Config], ReplayOptions],
    out: Path,
    say: Callable[[str], None],
) -> Comparison:
    """Replay under both, write `report.html` and `report.json` into `out`, and return what differs."""
    out.mkdir(parents=True, exist_ok=True)
    chosen = [options(side.config) for side in sides]  # a wrong clip is said before anything starts
    runs = []
    for side, its_options in zip(sides, chosen, strict=True):
        say(f"{side.name}:")
        runs.append(_run(side, its_options, say))
    found = compare(runs[0].recording.alerts, runs[1].recording.alerts)
    told = (found.lost, found.gained)  # what one side alone saw
    seen = [heats(heats_of(run.setup, run.pictures, alerts)) for run, alerts in zip(runs, told, strict=True)]
    a, b = (_side(run, of.seconds, heat) for run, of, heat in zip(runs, chosen, seen, strict=True))
    write_report(out, found, (a, b))
    return found


def _run(side: Setup, options: ReplayOptions, say: Callable[[str], None]) -> Run:
    pictures: dict[tuple[str, str], bytes] = {}
    began_s = time.monotonic()

    def keep(bootstrap: str, recording: Recording) -> None:
        pictures.update(_pictures(bootstrap, told_last(recording.alerts)))

    recording = replay(side.config, side.config_file, options, say, keep)
    return Run(side, recording, time.monotonic() - began_s, pictures)


def _pictures(bootstrap: str, alerts: list[Alert]) -> Pictures:
    """The frames that show the incidents best, as they were sent; one that can't be had is not shown."""
    frames, found = KafkaFrames(bootstrap, threading.Event()), {}
    try:
        for alert in alerts[:MOST_PICTURES]:
            if alert.evidence is None:
                continue
            try:
                found[alert.camera, alert.id] = frames.fetch(alert.evidence.ref).jpeg
            except FrameMissed:
                continue  # the report says that there is no picture
    finally:
        frames.close()
    return found


def heats_of(setup: Setup, pictures: Pictures, alerts: Sequence[Alert]) -> Iterator[tuple[tuple[str, str], bytes]]:
    """Where in the pictures the side's model saw the first alerts, as JPEGs; of a crowd there is no one place."""
    path, made = manifest_path(setup.config, setup.config_file), 0
    session: Session | None = None
    for alert in alerts:
        seen, jpeg = alert.evidence, pictures.get((alert.camera, alert.id))
        if seen is None or seen.xyxy is None or jpeg is None or made >= MOST_HEATS:
            continue
        session = session or Session.open(load_manifest(path), path.parent, OPTIONS)
        if alert.label in session.label_names:
            size = (seen.width, seen.height)
            yield (alert.camera, alert.id), explain_box(session, jpeg, size, alert.label, seen.xyxy).overlay
            made += 1


def _side(run: Run, seconds: float, seen: Heats[tuple[str, str]]) -> Side:
    return Side(
        name=run.setup.name,
        config=str(run.setup.config_file),
        time_zone=run.setup.config.site.time_zone,
        incidents=len(told_last(run.recording.alerts)),
        frames=len(run.recording.tracks),
        took_s=round(run.took_s, 1),
        faster_than_real_time=round(seconds / run.took_s, 2),
        pictures=run.pictures,
        heats=seen.jpegs,
        not_explained=seen.lacking,
    )
