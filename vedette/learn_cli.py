"""The arguments of `vedette learn`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.config_file import load
from vedette.which_site import add_site, site_of

END = "Nothing goes into service. A refused candidate ends with code 3."


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], states: Sequence[Path], now_ms: Callable[[], int]
) -> None:
    """`learn`; without `--state` the first of `states` with a running system is meant."""
    text = "Collect answers, train on them, register candidates and hold them against the models in service"
    learn = commands.add_parser("learn", help=text, description=text + ", if it is time. " + END)
    learn.add_argument("--why", default="", metavar="TEXT", help="train now, for this reason")
    slot = "only what is in service as this: detector, or classifier:ATTRIBUTE of learning.classifiers (default: all)"
    learn.add_argument("--slot", default="", metavar="NAME", help=slot)
    add_site(learn, states)
    learn.set_defaults(run=lambda given: _run(given, states, now_ms))


def _run(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    # Imported here, as models and the console's store come with it.
    from vedette.learn import Learning, training

    file, state = site_of(given, states)
    return Learning(load(file), file, state, now_ms).learn(given.why, training, given.slot)
