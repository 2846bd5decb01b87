"""`vedette replay`: recorded video through a real broker and the same jobs, with the video's own time.

The broker is the run's own, in a folder that goes with it, so that replays never meet live topics. Every picture of a
clip is sent; the last one says so (`last`), which ends what is open; then the jobs are drained and the topics read.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
import yaml

from bus.reader import Reader
from contracts import topics
from contracts.codec import decode, encode
from contracts.config import Config, Input
from contracts.errors import ConfigError, ContractError, VedetteError
from contracts.face_models import face_manifests, identifying
from contracts.messages import Alert, FrameDetections, FrameTracks, Message
from contracts.naming import NameOf, mention, named
from contracts.topics import DAY_MS
from vedette.clips import OVERHEAD_BYTES, SPARE_BYTES, Clip, check_room, room_bytes
from vedette.kept import KeptFrames
from vedette.local import LocalOptions, LocalSystem, manifest_of

if TYPE_CHECKING:
    from vedette.replay_people import ReplayPeople

POLL_S = 0.2

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class ReplayOptions:
    """What is replayed (clips by camera, or the frames that a system still has) and what is written.

    `speed` is "max" or "1" (the video's own pace, of clips only). `state_dir` is where the frames are kept while it
    runs; None for the system's temporary folder. `gallery` is a folder with pictures of those who are
    enrolled, for cameras that identify people.
    """

    clips: dict[str, Clip] = field(default_factory=dict)
    start_ms: int = 0
    kept: KeptFrames | None = None
    speed: str = "max"
    mot: Path | None = None
    alerts: Path | None = None
    detections: Path | None = None
    stall_s: float = 120.0
    state_dir: Path | None = None
    gallery: Path | None = None

    @property
    def frames(self) -> dict[str, int]:
        """How many frames there are, by camera; 0 where a clip doesn't say."""
        if self.kept is not None:
            return {name: one.frames for name, one in self.kept.cameras.items()}
        return {name: clip.frames for name, clip in self.clips.items()}

    @property
    def span_ms(self) -> tuple[int, int]:
        """The times of the first picture and of the last, of a clip as far as it says how long it is."""
        if self.kept is not None:
            kept = self.kept.cameras.values()
            return min(one.first_ms for one in kept), max(one.last_ms for one in kept)
        lasts_s = (clip.frames / clip.fps for clip in self.clips.values() if clip.fps > 0)
        return self.start_ms, self.start_ms + round(1000 * max(lasts_s, default=0))

    @property
    def seconds(self) -> float:
        """How long what is replayed lasted, all cameras together."""
        if self.kept is not None:
            return sum(one.last_ms - one.first_ms for one in self.kept.cameras.values()) / 1000
        return sum(clip.frames / clip.fps for clip in self.clips.values())


@dataclass(frozen=True)
class Recording:
    """All that one replay left on its topics, without repetitions and in a fixed order."""

    detections: tuple[FrameDetections, ...]
    tracks: tuple[FrameTracks, ...]
    alerts: tuple[Alert, ...]


def replay(
    config: Config,
    config_file: Path,
    options: ReplayOptions,
    say: Callable[[str], None],
    look: Callable[[str, Recording], None] = lambda bootstrap, recording: None,
) -> Recording:
    """Run the clips through and return what came out; also writes the wanted files.

    `look` is called with the run's broker before that goes with all pictures. Raises ConfigError before anything starts
    where one of them can't be written.
    """
    check_outputs(options)
    people = _people(config, config_file, options, say)
    with tempfile.TemporaryDirectory(prefix="vedette-replay-", dir=options.state_dir) as folder:
        check_room(_room_bytes(options, config), Path(folder))
        system = _system(config, config_file, options, people, Path(folder), say)
        try:
            system.start()
            if options.kept is not None:
                options.kept.send(system.bootstrap, config.site.name)
            _wait_until_drained(system, options, say)
            code = system.stop_child("jobs", timeout_s=60.0)
            if code != 0:
                raise VedetteError(f"the jobs did not finish what they had (code {code}):\n{_log(system, 'jobs')}")
            recording = _read(system.bootstrap)
            look(system.bootstrap, recording)
        finally:
            system.stop()
    _write(recording, options, people.name_of if people is not None else mention)
    return recording


def _people(
    config: Config, config_file: Path, options: ReplayOptions, say: Callable[[str], None]
) -> ReplayPeople | None:
    """Who is enrolled; None where no camera of the replay identifies anybody. Raises ConfigError."""
    if not identifying(config) & set(options.frames):
        if options.gallery is not None:
            raise ConfigError("--gallery", "no camera that is replayed identifies people (cameras.NAME.faces)")
        return None
    from vedette.replay_people import ReplayPeople  # the face models' libraries only where they are needed

    people = ReplayPeople(config, config_file, options.gallery)
    say(f"{len(people)} people are enrolled")
    return people


def _tell_people(people: ReplayPeople, options: ReplayOptions) -> Callable[[LocalSystem], None]:
    """What the jobs have to know before the first frame."""

    def told(system: LocalSystem) -> None:
        master = system.master
        assert master is not None  # made at the start, where a camera identifies people
        first_ms, last_ms = options.span_ms
        people.tell(system.bootstrap, master, first_ms, last_ms + DAY_MS)

    return told


def _system(
    config: Config,
    config_file: Path,
    options: ReplayOptions,
    people: ReplayPeople | None,
    folder: Path,
    say: Callable[[str], None],
) -> LocalSystem:
    pace: Literal["fast", "real_time"] = "fast" if options.speed == "max" else "real_time"
    inputs = {name: (Input(url=str(clip.path), loop=False, pace=pace),) for name, clip in options.clips.items()}
    cameras = {
        name: msgspec.structs.replace(
            config.cameras[name], inputs=inputs.get(name, config.cameras[name].inputs), enabled=True
        )
        for name in options.frames
    }
    rules = {
        name: msgspec.structs.replace(rule, cameras=tuple(camera for camera in rule.cameras if camera in cameras))
        for name, rule in config.rules.items()
        if not rule.cameras or set(rule.cameras) & set(cameras)
    }
    kafka = msgspec.structs.replace(config.kafka, bootstrap_servers=(), port=None, partitions=len(cameras))
    stream = msgspec.structs.replace(config.stream, metrics_port=0, model=str(manifest_of(config, config_file)))
    classifiers = {  # the replay's file lies elsewhere
        name: msgspec.structs.replace(spec, manifest=str((config_file.parent / spec.manifest).resolve()))
        for name, spec in config.classifiers.items()
    }
    found = face_manifests(config, config_file.parent)
    faces = msgspec.structs.replace(config.faces, localiser=str(found.localiser), embedder=str(found.embedder))
    changed = msgspec.structs.replace(
        config, cameras=cameras, rules=rules, kafka=kafka, stream=stream, classifiers=classifiers, faces=faces
    )
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(msgspec.to_builtins(changed), sort_keys=False))
    agent = ("--replay-start-ms", str(options.start_ms), "--every-frame", "--session", "1", "--metrics-port", "0")
    local = LocalOptions(
        ("jobs", "agent") if options.clips else ("jobs",),
        keep_forever=True,
        jobs_arguments=("--drain",),
        agent_arguments=agent,
        ready=_tell_people(people, options) if people is not None else lambda _: None,
    )
    return LocalSystem(changed, file, folder, local, say)


def _wait_until_drained(system: LocalSystem, options: ReplayOptions, say: Callable[[str], None]) -> None:
    """Follow the tracks until each camera's last frame is through. Raises VedetteError when nothing moves any more."""
    progress = _Progress(options.frames, say)
    moved_s = time.monotonic()
    with Reader(system.bootstrap, topics.TRACKS) as reader:
        while not progress.done:
            system.check()
            for record in reader.read(POLL_S):
                progress.seen(decode(record.value or b"", FrameTracks))
                moved_s = time.monotonic()
            code = system.child("agent").code if options.clips else None
            if code not in (None, 0):
                raise VedetteError(f"the agent failed (code {code}):\n{_log(system, 'agent')}")
            if time.monotonic() - moved_s > options.stall_s:
                raise VedetteError(f"nothing came through for {options.stall_s:g} s")


def _room_bytes(options: ReplayOptions, config: Config) -> int:
    """About how much the frames take; those that are kept lie in the run's broker as they are."""
    if options.kept is None:
        return room_bytes(options.clips, config)
    return SPARE_BYTES + sum(one.bytes + one.frames * OVERHEAD_BYTES for one in options.kept.cameras.values())


def _log(system: LocalSystem, name: str) -> str:
    """The end of a child's log: the folder goes with the run."""
    return (system.state_dir / "logs" / f"{name}.log").read_text(errors="replace")[-2000:]


class _Progress:
    """Counts the frames that are through and says so once a second."""

    def __init__(self, frames: dict[str, int], say: Callable[[str], None]) -> None:
        self._open = set(frames)
        self._total = sum(frames.values())
        self._through: dict[str, int] = {}
        self._say = say
        self._began_s: float | None = None
        self._said_s = 0.0

    @property
    def done(self) -> bool:
        return not self._open

    def seen(self, tracks: FrameTracks) -> None:
        now = time.monotonic()
        self._began_s = self._began_s or now
        self._through[tracks.camera] = self._through.get(tracks.camera, 0) + 1
        if tracks.last:
            self._open.discard(tracks.camera)
        if now - self._said_s >= 1.0 or self.done:
            self._said_s = now
            self._say(self._line(now - self._began_s))

    def _line(self, took_s: float) -> str:
        through = sum(self._through.values())
        rate = through / took_s if took_s > 0 else 0.0
        left = f", {max(0, self._total - through) / rate:.0f} s left" if rate and not self.done else ""
        return f"{through} of {self._total} frames, {rate:.0f}/s{left}"


def _all(bootstrap: str, topic: str, kind: type[M]) -> Iterator[M]:
    """Every message that the topic holds now. Raises VedetteError for one that is none: nobody else writes here."""
    with Reader(bootstrap, topic) as reader:
        for record in reader.held():
            try:
                yield decode(record.value or b"", kind)
            except ContractError as error:
                raise VedetteError(f"{topic}[{record.partition}] {record.offset}: {error.reason}") from error


def _read(bootstrap: str) -> Recording:
    """At-least-once sinks may repeat a record after a restart: one for each place, or id and revision."""
    detections = {(d.camera, d.session, d.index): d for d in _all(bootstrap, topics.DETECTIONS, FrameDetections)}
    tracks = {(t.camera, t.session, t.index): t for t in _all(bootstrap, topics.TRACKS, FrameTracks)}
    alerts = {(a.camera, a.at_ms, a.id, a.revision): a for a in _all(bootstrap, topics.ALERTS, Alert)}
    return Recording(
        tuple(detections[key] for key in sorted(detections)),
        tuple(tracks[key] for key in sorted(tracks)),
        tuple(alerts[key] for key in sorted(alerts)),
    )


def check_outputs(options: ReplayOptions) -> None:
    """Raises ConfigError for a place that can't be written, or that would overwrite a clip; makes missing folders."""
    wanted = [("--alerts", options.alerts), ("--detections", options.detections)]
    wanted += [("--mot", path) for path in _mot_files(options).values()]
    clips = {clip.path.resolve() for clip in options.clips.values()}
    try:
        if options.state_dir is not None:
            options.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("--state", f"{options.state_dir}: {error.strerror}") from error
    for option, path in wanted:
        if path is None:
            continue
        if path.resolve() in clips:
            raise ConfigError(option, f"{path} is a clip that is replayed: it would be overwritten")
        try:
            _try_to_write(path)
        except OSError as error:
            raise ConfigError(option, f"{path} can't be written: {error.strerror}") from error


def _try_to_write(path: Path) -> None:
    """What an earlier run wrote stays until this one has something; nothing new is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with path.open("ab"):
        pass
    if new:
        path.unlink()


def _mot_files(options: ReplayOptions) -> dict[str, Path]:
    """Each camera's file: the one that was named, or one of its own in that folder."""
    if options.mot is None:
        return {}
    single = len(options.clips) == 1
    return {camera: options.mot if single else options.mot / f"{camera}.txt" for camera in options.clips}


def _write(recording: Recording, options: ReplayOptions, name_of: NameOf) -> None:
    for camera, path in _mot_files(options).items():
        path.write_text("".join(mot_lines(frame for frame in recording.tracks if frame.camera == camera)))
    if options.alerts is not None:
        _write_lines(options.alerts, (encode(_shown(alert, name_of)) for alert in recording.alerts))
    if options.detections is not None:
        _write_lines(options.detections, (msgspec.json.encode(frame) for frame in recording.detections))


def _shown(alert: Alert, name_of: NameOf) -> Alert:
    """With names, and without looks at faces: nobody has the run's keys any more."""
    shown = named(alert, name_of)
    if shown.identity is None:
        return shown
    return msgspec.structs.replace(shown, identity=msgspec.structs.replace(shown.identity, sealed=b""))


def mot_lines(frames: Iterator[FrameTracks]) -> Iterator[str]:
    """Tracks in MOTChallenge text: frame (from 1), id, left, top, width, height (px), confidence, -1, -1, -1."""
    for frame in frames:
        for track in frame.tracks:
            if track.gone:
                continue
            x1, y1, x2, y2 = track.xyxy
            yield (
                f"{frame.index + 1},{track.track_id},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},"
                f"{track.confidence:.4f},-1,-1,-1\n"
            )


def _write_lines(path: Path, lines: Iterable[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def say_on_stderr(line: str) -> None:
    """Progress belongs on stderr: stdout may be a file."""
    print(line, file=sys.stderr, flush=True)
