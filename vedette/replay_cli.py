"""The arguments of `vedette replay`, alone and with `--compare`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.config import Config
from contracts.config_file import load
from contracts.errors import ConfigError, VedetteError
from vedette.local import running_bootstrap

if TYPE_CHECKING:
    from vedette.replay import ReplayOptions

HOUR_MS = 3_600_000
EPOCH_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC: the time of a replayed clip's first picture unless another is given."""


def run(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    """Replay once, or twice and compare."""
    # Imported here, as OpenCV comes with them: no other command should wait for it.
    from vedette.replay import replay, say_on_stderr

    if bool(given.clips) == (given.kept is not None):
        raise ConfigError("CLIP", "say what is to be replayed: clips, or --kept HOURS")
    if given.compare:
        return _compare(given, states, now_ms)
    if given.config is None:
        raise ConfigError("--config", "is missing: the site's YAML file")
    config = load(given.config)
    written = {"mot": given.mot, "alerts": given.alerts, "detections": given.detections}
    options = dataclasses.replace(_options(given, config, states, now_ms), **written)
    recording = replay(config, given.config, options, say_on_stderr)
    new = sum(alert.state == "new" for alert in recording.alerts)
    say_on_stderr(f"{len(recording.tracks)} frames, {new} alerts")
    return 0


def _compare(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    from vedette.compare import compare_runs, setup_of
    from vedette.replay import say_on_stderr

    a, b = (setup_of(side, given.config) for side in given.compare)
    at_ms = now_ms()  # both see the same
    found = compare_runs(
        (a, b), lambda config: _options(given, config, states, lambda: at_ms), given.out, say_on_stderr
    )
    say_on_stderr(
        f"{len(found.same)} incidents are the same, {len(found.moved)} moved, {len(found.lost)} lost, "
        f"{len(found.gained)} gained: {given.out / 'report.html'}"
    )
    return 0


def _options(
    given: argparse.Namespace, config: Config, states: Sequence[Path], now_ms: Callable[[], int]
) -> ReplayOptions:
    """What is replayed: the clips, or what the running system has kept."""
    from vedette.clips import assign
    from vedette.kept import KeptFrames
    from vedette.replay import ReplayOptions

    if given.kept is None:
        return ReplayOptions(
            clips=assign(given.clips, config),
            start_ms=given.start_ms,
            speed=given.speed,
            state_dir=given.state,
            gallery=given.gallery,
        )
    bootstrap = given.bootstrap or next(filter(None, map(running_bootstrap, states)), None)
    if bootstrap is None:
        raise VedetteError("no system is running here; say where with --bootstrap HOST:PORT")
    until_ms = now_ms()
    kept = KeptFrames(bootstrap, config.site.name, until_ms - round(given.kept * HOUR_MS), until_ms)
    return ReplayOptions(kept=kept.looked_for(config.cameras), state_dir=given.state, gallery=given.gallery)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Clips, config, what is written, and the two sides of a comparison."""
    command.add_argument(
        "clips", nargs="*", metavar="CLIP", help="a video, or CAMERA=VIDEO; else in the config's order"
    )
    command.add_argument(
        "--kept", type=float, metavar="HOURS", help="instead of clips: the frames that a running system still has"
    )
    command.add_argument("--bootstrap", metavar="HOST:PORT", help="of that system's broker (default: what runs here)")
    command.add_argument("--config", type=Path, metavar="FILE", help="cameras' zones and rules")
    command.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="run it twice, under two configs (.yaml) or with two models (the manifests, .json), and report what "
        "incidents are gained, lost and moved",
    )
    command.add_argument(
        "--out", type=Path, default=Path("compared"), metavar="DIR", help="of a comparison's report (default: compared)"
    )
    command.add_argument("--speed", choices=("max", "1"), default="max", help="as fast as it goes, or the video's own")
    command.add_argument("--start-ms", type=int, default=EPOCH_MS, metavar="MS", help="the first picture's time")
    command.add_argument("--mot", type=Path, metavar="OUT", help="tracks as MOTChallenge text (a folder for several)")
    command.add_argument("--alerts", type=Path, metavar="OUT", help="alerts as JSON lines (CloudEvents)")
    text = "who is enrolled, where a camera identifies people: pictures GROUP/NAME.jpg, more as NAME.2.jpg"
    command.add_argument("--gallery", type=Path, metavar="DIR", help=text)
    command.add_argument("--detections", type=Path, metavar="OUT", help="detections as JSON lines")
    command.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="where the frames are kept while it runs (default: the temporary folder): about 1.5 GB for an hour of "
        "480 lines at 10 frames/s; what the clips need is estimated, and looked for, before anything starts",
    )
