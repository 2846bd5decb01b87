"""The arguments of `vedette models`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from contracts.config_file import load
from contracts.fields import Stage
from vedette.which_site import add_site, site_of


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], states: Sequence[Path], now_ms: Callable[[], int]
) -> None:
    """`models list|show|diff|register|verify|gate|freeze|promote|rollback|sync|key`; `states` as for `evidence`."""
    text = "Versions of models: what is there, how good it is, what is in service where"
    models = commands.add_parser("models", help=text, description=text + ".")
    models.set_defaults(run=lambda given: _run(given, states, now_ms))
    actions = models.add_subparsers(dest="action", required=True, metavar="ACTION")

    def add(name: str, help: str, *positional: str, many: str = "") -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=help, description=help + ".")
        for one in positional:
            action.add_argument(one.lower(), metavar=one, help="NAME@VERSION")
        if many:
            action.add_argument("ids", metavar=many, nargs="*", help="NAME@VERSION (default: all)")
        add_site(action, states)
        return action

    add("list", "All versions, and which of them is in service")
    add("show", "A version: metrics, lineage, the gate's report, what was decided about it", "ID")
    add("diff", "What two versions say otherwise", "ID", "OTHER")
    add("verify", "Hold files against manifests and signatures; a wrong one ends with code 1", many="ID")
    register = add("register", "Keep a trained model as a version, signed with this site's key")
    register.add_argument("manifest", type=Path, help="its manifest's file; model and card lie beside it")
    gate = add("gate", "Hold a version against the one in service on frozen sets; a refused one ends with code 3", "ID")
    gate.add_argument("--sets", type=Path, required=True, metavar="FILE", help="the frozen sets and what may be lost")
    gate.add_argument("--against", default="", metavar="ID", help="another version than the one in service")
    _add_promote(add("promote", "Bring a version to a stage; the jobs change over while frames go on", "ID"))
    freeze = add("freeze", "Print the entry of a set for the gate's file, with the hash of all that is in it")
    freeze.add_argument("annotations", type=Path, help="COCO's JSON")
    freeze.add_argument("--pictures", type=Path, metavar="DIR", help="what its file names are relative to")
    back = add("rollback", "Take a candidate back; without one, put what was in service before into service")
    back.add_argument("slot", nargs="?", default="detector", help="what it is in service as (default: detector)")
    sync = add("sync", "Tell the jobs what the log says, and the log what the jobs took back by themselves")
    sync.add_argument(
        "--mlflow", default="", metavar="URI", help="bring an MLflow server's model registry in line, too"
    )
    for action in (register, back, sync):
        _add_why(action)
    for action in (back, sync):
        _add_bootstrap(action)
    add("key", "Print the public key with which this site signs, for models.trusted_keys")


def _add_promote(promote: argparse.ArgumentParser) -> None:
    promote.add_argument("--stage", choices=get_args(Stage), required=True)
    promote.add_argument("--cameras", nargs="+", default=(), metavar="CAMERA", help="of a canary; of a shadow: not all")
    promote.add_argument("--share", type=float, metavar="PART", help="of the frames that both models look at")
    promote.add_argument("--force", default="", metavar="WHY", help="without the gate's word; it stands in the log")
    _add_why(promote)
    _add_bootstrap(promote)


def _add_why(action: argparse.ArgumentParser) -> None:
    action.add_argument("--why", default="", help="stands in the log")


def _add_bootstrap(action: argparse.ArgumentParser) -> None:
    action.add_argument("--bootstrap", default="", metavar="HOST:PORT", help="the broker, instead of the config's")


def _run(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    # Imported here, as the console's store comes with it.
    from vedette import models

    config_file, state = site_of(given, states)
    return models.ACTIONS[given.action](models.Desk(load(config_file), config_file, state, now_ms), given)
