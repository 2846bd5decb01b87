"""The command `vedette`: runs the system on this machine, checks it and its config, looks into it, replays video."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import msgspec

from archive.evidence.files import files_of
from archive.names import GalleryNames
from contracts import codec
from contracts.config import Config
from contracts.config_check import missing_secrets
from contracts.config_dump import dump
from contracts.config_file import load
from contracts.errors import ConfigError, VedetteError
from contracts.face_models import face_manifests, identifying, manifest_path
from contracts.frigate import convert
from contracts.messages import Alert, Event, Feedback
from vault import MasterKey, master_key
from vault.master import FILE_VARIABLE, VARIABLE
from vedette import agents, dataset_cli, doctor, evidence_cli, faces, learn_cli, models_cli, replay_cli, tail
from vedette.camera_watch import CameraWatch
from vedette.clip import demo_clip
from vedette.errors import RefusedError, SetupError
from vedette.feed import Feed, FeedOptions
from vedette.local import BUNDLED, LocalSystem, run_until, running_bootstrap
from vedette.master_file import key_for
from vedette.which_site import add_site

STATE = Path(".vedette")
MASTER_MISSING = (
    f"no master key in {VARIABLE} or {FILE_VARIABLE}: `vedette up` makes one of its own, a cluster must be given one"
)
EXIT_FAILED = 1
EXIT_CONFIG = 2
EXIT_REFUSED = 3


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 failed, 2 the config is wrong, 3 the gate refused."""
    given = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = given.run
    try:
        return run(given)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except VedetteError as error:
        print(f"vedette: {error}", file=sys.stderr)
        return EXIT_REFUSED if isinstance(error, RefusedError) else EXIT_FAILED
    except BrokenPipeError:
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"vedette: {where}{error.strerror or error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def _up(given: argparse.Namespace) -> int:
    return _run_system(load(given.config), given.config, given.state or STATE)


def _demo(given: argparse.Namespace) -> int:
    state = given.state or STATE / "demo"
    state.mkdir(parents=True, exist_ok=True)
    clip = demo_clip(given.clip)
    template = Path(__file__).with_name("demo.yaml").read_text(encoding="utf-8")
    config_file = state / "demo.yaml"
    config_file.write_text(template.replace('"{clip}"', json.dumps(str(clip.resolve()))), encoding="utf-8")
    faces.own_key(state / "master.key", os.environ)
    return _run_system(load(config_file), config_file, state)


def _run_system(config: Config, config_file: Path, state: Path) -> int:
    began_s = time.monotonic()
    _warn_of_secrets(config)
    system = LocalSystem(config, config_file, state.resolve(), say=_say)
    _on_end(signal.default_int_handler)  # an end during the start breaks it off, and `start` cleans up
    started_ms = _now_ms()
    system.start()
    stop = threading.Event()
    _on_end(lambda *_: stop.set())
    files = files_of(config.evidence, system.state_dir / "archive")
    names = GalleryNames(system.bootstrap, system.master)
    options = FeedOptions(
        system.bootstrap, files, config.site.time_zone, names, colour=sys.stdout.isatty(), started_ms=started_ms
    )
    feed = Feed(options, _say, _now_ms)
    enabled = [name for name, camera in config.cameras.items() if camera.enabled]
    more = f"More: `vedette tail alerts --state {state}`, logs in {system.state_dir / 'logs'}"

    def all_well() -> None:
        _say(f"all is well after {time.monotonic() - began_s:.0f} s: alerts come below, Ctrl-C ends. {more}")

    watch = CameraWatch(enabled, started_ms, _say, all_well)
    try:
        feed.start()
        watch.start(system.bootstrap, stop)
        _say("running; waiting for the jobs and the first pictures")
        run_until(system, stop.is_set, _browser(system))
    finally:
        stop.set()
        _say("ending")
        feed.stop()
        names.close()
        system.stop()
    return 0


def _browser(system: LocalSystem) -> Callable[[], None]:
    """Opens the console once it is up, for a person who sits before a screen."""
    screen = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    opened = not (screen and sys.stdout.isatty())

    def look() -> None:
        nonlocal opened
        if not opened and system.console.open_at:
            opened = True
            webbrowser.open(system.console.open_at)

    return look


def _warn_of_secrets(config: Config) -> None:
    """One camera that can't be opened is no reason to watch none, and the file may be meant for another machine."""
    for fault in missing_secrets(config, os.environ):
        print(f"warning: {fault}", file=sys.stderr)


def _console_port(config: Config) -> int:
    return config.console.port if config.console.enabled else 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _doctor(given: argparse.Namespace) -> int:
    config = load(given.config) if given.config else None
    ports = (
        (config.kafka.port, config.edge.metrics_port, config.stream.metrics_port, _console_port(config))
        if config
        else ()
    )
    manifests: tuple[Path, ...] = (manifest_path(config, given.config),) if config else (BUNDLED,)
    if config and identifying(config):
        manifests += face_manifests(config, given.config.parent)
    if config:
        manifests += tuple((given.config.parent / one.manifest).resolve() for one in config.classifiers.values())
    scope = doctor.Scope(given.state or STATE, tuple(port for port in ports if port), manifests, config)
    return doctor.print_checks(doctor.run_checks(scope))


def _config_check(given: argparse.Namespace) -> int:
    config = load(given.file)
    _warn_of_secrets(config)
    if (cameras := sorted(identifying(config))) and master_key(os.environ) is None:
        print(f"warning: cameras.{cameras[0]}.faces.identify: {MASTER_MISSING}", file=sys.stderr)
    print(f"{given.file}: good; {_count(len(config.cameras), 'camera')}, {_count(len(config.rules), 'rule')}")
    return 0


def _config_export(given: argparse.Namespace) -> int:
    # Imported here: the database's library is not for every command to wait for.
    from vedette.export import in_force

    _write(dump(in_force(load(given.config), given.state or STATE)), given.out)
    return 0


def _import_frigate(given: argparse.Namespace) -> int:
    found = convert(given.file.read_text(encoding="utf-8-sig"))
    _write(dump(found.config), given.out)
    for kind, title in (("changed", "Taken over otherwise"), ("left", "Not taken over")):
        notes = [note for note in found.notes if note.kind == kind]
        print(f"{title}: {len(notes)}", file=sys.stderr)
        for note in notes:
            print(f"  {note.path}: {note.why}", file=sys.stderr)
    return 0


def _write(text: str, out: Path | None) -> None:
    if out is None:
        print(text, end="")
    else:
        with out.open("x", encoding="utf-8") as file:  # x: nobody's config is written over
            file.write(text)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _config_schema(given: argparse.Namespace) -> int:
    schemas = {
        "config": lambda: msgspec.json.schema(Config),
        "alert": lambda: codec.json_schema(Alert),
        "event": lambda: codec.json_schema(Event),
        "feedback": lambda: codec.json_schema(Feedback),
    }
    print(json.dumps(schemas[given.of](), indent=2))
    return 0


def _tail(given: argparse.Namespace) -> int:
    tail.kind_of(given.topic)  # a topic that nobody has is said first
    folders = (given.state,) if given.state else (STATE, STATE / "demo")
    bootstrap = given.bootstrap or next(filter(None, map(running_bootstrap, folders)), None)
    if bootstrap is None:
        where = f"on {given.state}" if given.state else "here"
        raise VedetteError(f"no system is running {where}; say where with --state DIR or --bootstrap HOST:PORT")
    names = GalleryNames(bootstrap, _key_of(folders))
    lines = tail.follow(bootstrap, given.topic, from_beginning=given.from_beginning, count=given.count, name_of=names)
    for line in lines:
        print(line, flush=True)
    return 0


def _key_of(folders: Iterable[Path]) -> MasterKey | None:
    """The master key of the environment, else that of the system whose folder has one."""
    for folder in folders:
        more = key_for(folder, os.environ, _say, needed=False)
        if key := master_key({**os.environ, **more}):
            return key
    return None


def _replay(given: argparse.Namespace) -> int:
    _on_end(signal.default_int_handler)
    return replay_cli.run(given, (STATE, STATE / "demo"), _now_ms)


def _explain(given: argparse.Namespace) -> int:
    # Imported here, as OpenCV and onnxruntime come with it.
    from vedette.explain import explain

    return explain(given, (STATE, STATE / "demo"), _now_ms)


def _training(*command: str) -> Callable[[argparse.Namespace], int]:
    def run(given: argparse.Namespace) -> int:
        if importlib.util.find_spec("torch") is None:
            raise SetupError("training needs torch, which is not installed", "pip install 'vedette[training]'")
        from training.__main__ import main as training

        return training([*command, *given.arguments])

    return run


def _on_end(handler: Callable[[int, FrameType | None], object]) -> None:
    """What Ctrl-C, a closed terminal and the service manager's end lead to."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _say(line: str) -> None:
    """Print a line; when nobody reads any more (`vedette up | head`) the system still has to be ended in order."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  for the rest of the process


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vedette", description="Video analytics from the camera to the alert.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str, **more: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text + ".", **more)  # type: ignore[arg-type]
        command.set_defaults(run=run)
        return command

    up = add("up", _up, "Run the whole system of a config on this machine, with its alerts in the terminal")
    up.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's YAML file")
    _add_state(up)
    up.epilog = "Example: vedette up --config my.yaml"
    demo = add("demo", _demo, "Run the whole system on OpenCV's sample clip as two looping cameras")
    demo.add_argument("--clip", type=Path, metavar="FILE", help="the clip, where it can't be downloaded (vtest.avi)")
    _add_state(demo, str(STATE / "demo"))
    check = add("doctor", _doctor, "Say what of this machine is not as Vedette needs it, and how to mend it")
    check.add_argument(
        "--config", type=Path, metavar="FILE", help="also look at this config's ports and model, and open its cameras"
    )
    _add_state(check)
    _add_config(commands)
    _add_import(commands)
    evidence_cli.add_commands(commands, (STATE, STATE / "demo"), _now_ms)
    dataset_cli.add_commands(commands, (STATE, STATE / "demo"), _now_ms)
    learn_cli.add_command(commands, (STATE, STATE / "demo"), _now_ms)
    models_cli.add_commands(commands, (STATE, STATE / "demo"), _now_ms)
    faces.add_commands(commands, (STATE, STATE / "demo"), _training("evaluate", "faces"))
    agents.add_commands(commands, (STATE, STATE / "demo"))
    _add_explain(add("explain", _explain, "Show where in a picture, or in an alert's, a model saw what it says"))
    tail_ = add("tail", _tail, "Print what comes on a topic of the running system, as JSON lines")
    tail_.add_argument("topic", help="alerts, events, tracks, detections, analytics, edge-status, dead-letters ...")
    tail_.add_argument("--from-beginning", action="store_true", help="also what the topic holds already")
    tail_.add_argument("-n", "--count", type=int, metavar="N", help="end after N records")
    tail_.add_argument("--bootstrap", metavar="HOST:PORT", help="of another broker than the running system's")
    _add_state(tail_, f"{STATE}, or {STATE / 'demo'} where only the demo runs")
    tail_.epilog = "Example: vedette tail alerts -n 5. CloudEvents are shown without their envelope."
    for name, text in (
        ("train", "Train a model from a recipe; `vedette train detector --help` says how"),
        ("evaluate", "Measure a model on a recipe's test sets, as a report"),
    ):
        command = add(name, _training(name), text, prefix_chars="\0")
        command.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    replay_cli.add_arguments(
        add("replay", _replay, "Send recorded video through the same jobs and write, or compare, what they find")
    )
    return parser


def _add_state(command: argparse.ArgumentParser, default: str = str(STATE)) -> None:
    command.add_argument("--state", type=Path, metavar="DIR", help=f"where everything is kept (default: {default})")


def _add_config(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Check a config file, or print the schemas"
    config = commands.add_parser("config", help=text, description=text + ".")
    actions = config.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="Read a config; a wrong one ends with code 2 and the path of the fault")
    check.add_argument("file", type=Path)
    check.set_defaults(run=_config_check)
    export = actions.add_parser("export", help="Print the site as it is in force: the file with the console's changes")
    export.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's YAML file")
    export.add_argument("--out", type=Path, metavar="FILE", help="a new file instead of the terminal")
    _add_state(export)
    export.set_defaults(run=_config_export)
    schema = actions.add_parser("schema", help="Print the JSON schema of the config, or of alerts, events and feedback")
    schema.add_argument("of", nargs="?", choices=("config", "alert", "event", "feedback"), default="config")
    schema.set_defaults(run=_config_schema)


def _add_explain(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", metavar="ALERT|PICTURE", help="an alert's id, or a JPEG")
    command.add_argument(
        "--model", type=Path, metavar="FILE", help="a manifest (default: the alert's own model; the bundled detector)"
    )
    command.add_argument("--label", default="", help="what is to be explained (default: the alert's; the surest)")
    command.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="default: here")
    add_site(command, (STATE,))


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Take another system's config over, and say what of it could not be"
    command = commands.add_parser("import", help=text, description=text + ".")
    frigate = command.add_subparsers(required=True, metavar="FROM").add_parser("frigate", help="Frigate 0.14 to 0.16")
    frigate.add_argument("file", type=Path, help="Frigate's config.yml")
    frigate.add_argument("--out", type=Path, metavar="FILE", help="a new file instead of the terminal")
    frigate.epilog = "Example: vedette import frigate config.yml --out my.yaml"
    frigate.set_defaults(run=_import_frigate)


if __name__ == "__main__":
    sys.exit(main())
