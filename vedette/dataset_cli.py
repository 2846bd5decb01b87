"""The arguments of `vedette dataset`."""

from __future__ import annotations

import argparse
import getpass
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.config_file import load
from vedette.errors import SetupError
from vedette.which_site import add_site, site_of


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], states: Sequence[Path], now_ms: Callable[[], int]
) -> None:
    """`dataset ACTION`; without `--state` the first of `states` with a running system is meant."""
    text = "Collect what a model may learn from (answers, hard frames), and exchange it with labelling tools"
    dataset = commands.add_parser("dataset", help=text, description=text + ".")
    dataset.set_defaults(run=lambda given: _run(given, states, now_ms))
    actions = dataset.add_subparsers(dest="action", required=True, metavar="ACTION")
    collect = actions.add_parser("collect", help="Make the next version of answers, samples and labels")
    listed = actions.add_parser("list", help="Print all versions")
    show = actions.add_parser("show", help="Say what is in a version, and what waits for a label")
    clean = actions.add_parser("clean", help="Find broken pictures, near duplicates and doubtful labels")
    export = actions.add_parser("export", help="Write pictures with boxes for a labelling tool, or to be frozen")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="gets images/ and the annotations")
    export.add_argument("--all", action="store_true", help="the whole version, not what waits for a label")
    take = actions.add_parser("import", help="Take what was drawn in a labelling tool")
    take.add_argument("file", type=Path, help="the tool's export; pictures of its own lie in images/ beside it")
    take.add_argument("--camera", default="imported", help="whose pictures those are that aren't known yet")
    for command in (show, clean, export):
        command.add_argument(
            "--version", default="", metavar="ID", help="its beginning is enough (default: the newest)"
        )
    out = "coco: pictures labelled as a whole, for `vedette models freeze` (default: cvat)"
    export.add_argument("--format", choices=("cvat", "label-studio", "coco"), default="cvat", help=out)
    take.add_argument("--format", choices=("cvat", "label-studio"), default="cvat")
    for command in (collect, listed, show, clean, export, take):
        add_site(command, states)


def _run(given: argparse.Namespace, states: Sequence[Path], now_ms: Callable[[], int]) -> int:
    # Imported here, as models and the console's store come with it.
    from vedette import dataset

    if given.action == "clean" and importlib.util.find_spec("cleanlab") is None:
        raise SetupError("cleaning needs cleanlab, which is not installed", "pip install 'vedette[training]'")
    file, state = site_of(given, states)
    config = load(file)
    sets = dataset.DataSets(config, file, state)
    match given.action:
        case "collect":
            return sets.collect(now_ms())
        case "list":
            return dataset.list_versions(sets.collection)
        case "show":
            return dataset.show(sets.collection, given.version, sets.queue())
        case "clean":
            return dataset.look_again(sets.collection, given.version)
        case "export":
            chosen = [] if given.all or given.format == dataset.FROZEN else [one.sha256 for one in sets.queue()]
            return dataset.export(sets.collection, sets.collection.load(given.version), chosen, given.format, given.out)
    who = getpass.getuser()
    return dataset.take_in(sets.collection, given.file, given.format, config.site.name, given.camera, now_ms(), who)
