"""Which site a command means: the one that is named, else the one that runs here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from contracts.errors import VedetteError
from vedette.local import running_config


def add_site(command: argparse.ArgumentParser, states: Sequence[Path]) -> None:
    """The arguments that `site_of` reads."""
    command.add_argument("--config", type=Path, metavar="FILE", help="default: of the system that runs here")
    command.add_argument("--state", type=Path, metavar="DIR", help=f"where all is kept (default: {states[0]})")


def site_of(given: argparse.Namespace, states: Sequence[Path]) -> tuple[Path, Path]:
    """The config's file and the state folder: as given, else of what runs in the first of `states`."""
    folders = (given.state,) if given.state else states
    running = next(((file, folder) for folder in folders if (file := running_config(folder)) is not None), None)
    if given.config:
        return given.config, (given.state or (running[1] if running else states[0])).resolve()
    if running is None:
        raise VedetteError("no system is running here; say which site is meant with --config FILE [--state DIR]")
    return running[0], running[1].resolve()
