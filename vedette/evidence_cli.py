"""The arguments of `vedette evidence`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.config_file import load
from vedette.which_site import add_site, site_of


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], states: Sequence[Path], now_ms: Callable[[], int]
) -> None:
    """`evidence export|verify|key|check`; without `--state` the first of `states` where a system runs is meant."""
    text = "Export an alert as one signed file, check such a file, or check all that is kept"
    evidence = commands.add_parser("evidence", help=text, description=text + ".")
    evidence.set_defaults(run=lambda given: _run(given, states, now_ms))
    actions = evidence.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="Write everything that is known of an alert as one signed zip")
    export.add_argument("alert", help="the alert's id")
    export.add_argument("--out", type=Path, metavar="FILE", help="default: evidence-ALERT.zip")
    verify = actions.add_parser("verify", help="Check it offline; a changed byte ends with code 1 and where it is")
    verify.add_argument("bundle", type=Path, help="the file")
    verify.add_argument("--key", metavar="PUBLIC", help="the site's public key, or a file with it")
    key = actions.add_parser("key", help="Print the site's public key")
    check = actions.add_parser("check", help="Follow every day's chain: what was changed, added or taken away")
    for command in (export, key, check):
        add_site(command, states)


def _run(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    # Imported here, as the console's store and OpenCV come with it.
    from vedette import evidence

    if given.action == "verify":
        return evidence.verify(given.bundle, given.key)
    config, state = site_of(given, states)
    site = evidence.Evidence(load(config), state)
    if given.action == "export":
        return evidence.export(site, given.alert, given.out, now_ms())
    if given.action == "check":
        return evidence.check(site)
    print(site.key.public)
    return 0
