"""`vedette models`: what is in the registry, and what is decided about it, which the jobs are told at once."""

from __future__ import annotations

import argparse
import datetime as dt
import getpass
import os
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import msgspec

from archive.registry import KEY_FILE, Decision, Registry, Standing, Version, held, learn, missing, registry_of
from archive.registry.log import SHARE
from archive.registry.mlflow_mirror import MlflowMirror
from bus.errors import BusError
from bus.producer import KafkaLink, deliver
from bus.reader import Reader
from console.database_url import database_url
from console.models.desk import NOTED
from console.store.store import Store
from contracts import topics
from contracts.codec import encode
from contracts.config import Config, broker_address
from contracts.controls import key, slot_of
from contracts.errors import ConfigError, ModelError, VedetteError
from contracts.manifest import ModelManifest, load_manifest
from training.gate.judge import Report
from training.gate.predict import Model
from training.gate.report import markdown
from training.gate.run import run
from training.gate.sets import SetEntry, read_set
from vault import MODELS_VARIABLE, SiteKey
from vedette.errors import RefusedError
from vedette.gate_page import write_gate_page
from vedette.larger import larger_than
from vedette.local import manifest_of, running_bootstrap

TOLD_S = 10.0


class Desk:
    """The models of one site, and who decides about them."""

    def __init__(self, config: Config, config_file: Path, state: Path, now_ms: Callable[[], int]) -> None:
        self.config, self.config_file, self.state, self.now_ms = config, config_file, state, now_ms
        self.site = config.site.name
        self.by = f"command of {getpass.getuser()}"
        self.key = SiteKey(os.environ, state / "archive" / KEY_FILE, MODELS_VARIABLE)
        self.cache = state / "models"

    @cached_property
    def registry(self) -> Registry:
        """The registry that the config names; raises ConfigError where it names none."""
        found = registry_of(self.config.models, self.now_ms, self.key)
        if found is None:
            raise ConfigError("models.folder", "no registry is named: a folder, or a bucket with models.s3")
        return found

    def begun_with(self, manifest: ModelManifest) -> list[Path]:
        """The manifests that the config names: of the detector, and of what this one would be in service as."""
        found = [manifest_of(self.config, self.config_file)]
        named = self.config.classifiers.get(manifest.attribute.name) if manifest.attribute is not None else None
        if named is not None:
            found.append((self.config_file.parent / named.manifest).resolve())
        return found

    def audit(self, decision: Decision) -> None:
        """Note a decision in the console's audit too."""
        store = Store(database_url(self.config.console.database, self.state / "console", os.environ))
        store.open()
        try:
            details = {name: value for name, value in msgspec.to_builtins(decision).items() if value}
            with store.database.write() as connection:
                store.audit.add(
                    connection,
                    at_ms=decision.at_ms,
                    who=self.by,
                    action=NOTED[decision.kind],
                    subject=decision.model,
                    details=details,
                )
        finally:
            store.close()

    def broker(self, given: str) -> str:
        """The broker's address: as given, of the system that runs here, or the config's; empty where there is none."""
        return given or running_bootstrap(self.state) or str(broker_address(self.config.kafka) or "")

    def tell(self, broker: str) -> int:
        """Bring topic and log in line; how many records were sent. Raises BusError."""
        with Reader(broker, topics.CONTROLS) as reader:
            topic = held((record.value for record in reader.held()), self.site)
        for id in learn(self.registry, self.site, topic):
            print(f"{id}: taken back by the stream; the log says it now")
        controls = missing(self.registry, self.site, topic, self.now_ms())
        link = KafkaLink(broker)
        try:
            for one in controls:
                deliver(link, topics.CONTROLS, key(one.change), encode(one), self.now_ms(), TOLD_S)
        finally:
            link.close(1.0)
        return len(controls)


def list_(desk: Desk, _given: argparse.Namespace) -> int:
    """Print a line a version."""
    standing = desk.registry.standing(desk.site)
    where: dict[str, str] = {}
    for now in standing.values():
        where[now.in_service] = "in service"
        if now.candidate is not None:
            cameras = " ".join(now.candidate.cameras) or "all cameras"
            where[now.candidate.model] = f"{now.candidate.stage}: {cameras}"
    versions = desk.registry.versions()
    for one in versions:
        print(f"{one.id:32} {_gate_word(one):8} {_registered(one):17} {where.get(one.id, '')}".rstrip())
    if not versions:
        print(f"no version yet in {desk.registry.files.place('')}")
    return 0


def show_(desk: Desk, given: argparse.Namespace) -> int:
    """Print all that is known of a version."""
    one = desk.registry.get(given.id)
    print(msgspec.json.format(msgspec.json.encode(_plain(one))).decode())
    for decision in one.decisions:
        print(f"{_time(decision.at_ms)}  {_words(decision)}")
    if one.gate is not None:
        print("\n" + desk.registry.report(one.gate))
    return 0


def diff_(desk: Desk, given: argparse.Namespace) -> int:
    """Print what two versions say otherwise, a line a value."""
    first, other = (_flat(_plain(desk.registry.get(id))) for id in (given.id, given.other))
    for name in sorted(first.keys() | other.keys()):
        before, after = first.get(name, "-"), other.get(name, "-")
        if before != after:
            numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, after))
            print(f"{name}: {before} -> {after}" + (f"  ({after - before:+.4g})" if numbers else ""))
    return 0


def verify_(desk: Desk, given: argparse.Namespace) -> int:
    """Check versions; raises VedetteError where one is not as it was registered."""
    faults = 0
    for id in given.ids or [one.id for one in desk.registry.versions()]:
        try:
            desk.registry.verify(id)
            print(f"{id}: good")
        except ModelError as error:
            print(error)
            faults += 1
    if faults:
        raise VedetteError(f"{faults} of them are not what was registered and signed")
    return 0


def register_(desk: Desk, given: argparse.Namespace) -> int:
    """Register a version, and before the first one that which the config names."""
    for first in desk.begun_with(load_manifest(given.manifest)):
        desk.registry.adopt(first, desk.site, desk.by)
    kept = desk.registry.register(given.manifest, desk.by, given.why)
    print(f"{kept.id}: registered in {desk.registry.files.place('')}, signed with {desk.key.public.fingerprint}")
    return 0


def gate_(desk: Desk, given: argparse.Namespace) -> int:
    """Hold a version against the one in service, keep the report; raises RefusedError where it is refused."""
    manifest, folder = desk.registry.fetch(given.id, desk.cache)
    now = desk.registry.standing(desk.site).get(slot_of(manifest), Standing())
    against = given.against or now.in_service
    if not against:
        raise VedetteError(f"{desk.site} has nothing in service that {given.id} could be held against: --against ID")
    before = desk.registry.fetch(against, desk.cache)
    larger = partial(larger_than, desk.registry, given.id, against, desk.cache)
    report = run((manifest, folder), before, given.sets, desk.registry.learnt(given.id), larger)
    text = markdown(report)
    kept = msgspec.json.format(msgspec.json.encode(report)), text.encode()
    decision = desk.registry.gated(
        given.id, passed=report.passed, against=against, report=kept, by=desk.by, why=report.why
    )
    print(text)
    desk.audit(decision)
    _shown(desk, report, given.sets, before, (manifest, folder))
    if not report.passed:
        raise RefusedError(f"{given.id} is refused: {report.why}")
    return 0


def _shown(desk: Desk, report: Report, sets: Path, before: Model, after: Model) -> None:
    """The report with pictures, on this machine; the verdict stands whatever becomes of it."""
    file = desk.state / "gate" / "report.html"
    try:
        write_gate_page(report, sets, before, after, file)
    except (OSError, VedetteError) as error:
        print(f"no page with pictures: {error}")
    else:
        print(f"{file}: where it loses most, with pictures; the next gate writes over it")


def freeze_(_desk: Desk, given: argparse.Namespace) -> int:
    """Print the entry of a set."""
    pictures = given.pictures or given.annotations.parent
    entry = SetEntry(name=given.annotations.stem, annotations=str(given.annotations), pictures=str(pictures))
    found = read_set(entry, Path())
    frozen = msgspec.structs.replace(entry, sha256=found.frozen.sha256)
    if untimed := len(found.digests) - len(found.moments):
        print(f"# {untimed} pictures say no `captured_at_ms`: what a camera showed around them may be trained on once")
        print("# retention has taken them out of the collection")
    print(msgspec.yaml.encode({"sets": [frozen]}).decode(), end="")
    return 0


def promote_(desk: Desk, given: argparse.Namespace) -> int:
    """Decide, note it in the audit, tell the jobs."""
    for camera in given.cameras:
        if camera not in desk.config.cameras:
            raise VedetteError(f"the config has no camera `{camera}`")
    attribute = desk.registry.manifest(given.id).attribute
    if attribute is not None and attribute.name not in desk.config.classifiers:
        raise VedetteError(f"the config has no classifier `{attribute.name}`: name one there, and start the jobs")
    decision = desk.registry.promote(
        given.id,
        desk.site,
        given.stage,
        by=desk.by,
        why=given.why,
        cameras=tuple(given.cameras),
        share=SHARE if given.share is None else given.share,
        forced=given.force,
    )
    return _decided(desk, decision, given.bootstrap)


def rollback_(desk: Desk, given: argparse.Namespace) -> int:
    """Decide, note it in the audit, tell the jobs."""
    return _decided(desk, desk.registry.rollback(given.slot, desk.site, by=desk.by, why=given.why), given.bootstrap)


def sync_(desk: Desk, given: argparse.Namespace) -> int:
    """Bring topic and log in line, and MLflow's registry where one is named."""
    broker, mlflow = desk.broker(given.bootstrap), given.mlflow or desk.config.models.mlflow
    if mlflow:
        counts = MlflowMirror(mlflow, desk.cache).sync(desk.registry, desk.site)
        print(f"{mlflow}: {counts['new']} versions are new there, {counts['aliases']} aliases stand")
        if not broker:
            return 0
    if not broker:
        raise VedetteError("no broker runs here; say where one does with --bootstrap HOST:PORT")
    print(f"{desk.tell(broker)} records sent")
    return 0


def key_(desk: Desk, _given: argparse.Namespace) -> int:
    """Print the site's public key."""
    print(desk.key.public)
    return 0


ACTIONS = {
    "list": list_,
    "show": show_,
    "diff": diff_,
    "verify": verify_,
    "register": register_,
    "gate": gate_,
    "freeze": freeze_,
    "promote": promote_,
    "rollback": rollback_,
    "sync": sync_,
    "key": key_,
}


def _decided(desk: Desk, decision: Decision, bootstrap: str) -> int:
    print(_words(decision))
    desk.audit(decision)
    broker = desk.broker(bootstrap)
    if not broker:
        print("no broker runs here: the jobs are told when the console starts, or by `vedette models sync`")
        return 0
    try:
        desk.tell(broker)
    except BusError as error:
        raise VedetteError(
            f"it is decided, but the jobs are not told: {error}; `vedette models sync` does it"
        ) from error
    return 0


def _words(decision: Decision) -> str:
    """A decision as a sentence."""
    what = decision.kind.replace("_", " ")
    match decision.kind:
        case "gated":
            what = f"{'let through' if decision.passed else 'refused'} by the gate, against {decision.against or '-'}"
        case "promoted":
            cameras = f" at {' '.join(decision.cameras)}" if decision.cameras else ""
            what = f"promoted: {decision.stage}{cameras}" + (f", forced: {decision.forced}" if decision.forced else "")
        case "rolled_back":
            what = f"rolled back to {decision.instead}"
    why = f" ({decision.why})" if decision.why else ""
    return f"{decision.model} {what}, by {decision.by}{why}"


def _gate_word(version: Version) -> str:
    return "-" if version.gate is None else "passed" if version.gate.passed else "refused"


def _registered(version: Version) -> str:
    return next((_time(one.at_ms) for one in version.decisions if one.kind == "registered"), "")


def _time(at_ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC):%Y-%m-%d %H:%M}Z"


def _plain(version: Version) -> dict[str, Any]:
    """The manifest without what is at its default or long."""
    values: dict[str, Any] = msgspec.to_builtins(version.manifest)
    return {name: value for name, value in values.items() if value and name not in ("signature", "calibration")}


def _flat(value: object, name: str = "") -> dict[str, Any]:
    items: Iterable[tuple[object, object]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        return {name: value}
    return {path: one for at, inner in items for path, one in _flat(inner, f"{name}.{at}" if name else str(at)).items()}
