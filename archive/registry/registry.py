"""Versions of models in a folder or bucket: registered, judged, promoted, rolled back, fetched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from archive.evidence.durable import replace as write_file
from archive.evidence.files import Bucket, Files, Folder
from archive.registry.errors import NoVersionError, RegistryError
from archive.registry.log import EVERYWHERE, SHARE, Decision, Kind, Standing, gate_of, standing
from archive.registry.signing import check_signature, signed, trusted_keys
from contracts.config import Models
from contracts.controls import slot_of
from contracts.decoding import convert, from_json
from contracts.errors import ModelError
from contracts.fields import Stage
from contracts.manifest import LEARNT, ModelManifest, Task, files_of, load_manifest, model_bytes
from vault import PublicKey, Signer

MANIFEST, CARD, LOG = "manifest.json", "card.md", "_log"
CHANGED_WHILE_RUNNING: tuple[Task, ...] = ("detector", "classifier")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True)
class Version:
    """One version as it is kept, with the decisions on it in their order."""

    manifest: ModelManifest
    decisions: tuple[Decision, ...]

    @property
    def id(self) -> str:
        """The name by which all refer to it."""
        return self.manifest.id

    @property
    def gate(self) -> Decision | None:
        """The last word of the gate on it."""
        return gate_of(self.decisions, self.id)


class Registry:
    """Threads and processes may share it: what two of them decide at once comes one after the other in the log."""

    def __init__(
        self,
        files: Files,
        trusted: Sequence[PublicKey] | None,
        clock_ms: Callable[[], int],
        signer: Signer | None = None,
    ) -> None:
        """`signer` is for who registers; `trusted` are the keys that `verify` and `fetch` ask for (None: for none)."""
        self.files = files
        self._trusted = trusted
        self._clock_ms = clock_ms
        self._signer = signer
        self._read: tuple[Decision, ...] = ()
        self._manifests: dict[str, ModelManifest] = {}

    def register(self, manifest_file: Path, by: str, why: str = "") -> ModelManifest:
        """Keep a version, signed: the manifest, the files that it names, and what lies beside it: the card (`NAME.md`)
        and the SHA-256 of each picture that it was trained on, one a line (`NAME.learnt`).

        Once more changes nothing, and completes what a kill left. Of two that register another model each under one
        name and version the first one's is whole. Raises RegistryError for the other, ModelError where the file isn't
        what the manifest says.
        """
        given = load_manifest(manifest_file)
        name, version = _parts(given.id)
        data = [model_bytes(given, manifest_file.parent, file) for file in files_of(given)]
        kept = _by_content(given)
        if self._signer is not None:
            kept = signed(kept, self._signer)
        folder = f"{name}/{version}"
        for file, content in zip(files_of(kept), data, strict=True):
            self.files.create(f"{folder}/{file}", content)
        learnt, card = (_beside(manifest_file, ending) for ending in (".learnt", ".md"))
        if learnt is not None:
            self.files.create(f"{folder}/{_learnt_file(kept)}", learnt)
        self.files.create(f"{folder}/{MANIFEST}", _encoder.encode(kept))
        there = self.manifest(given.id)
        if replace(there, signature=None) != replace(kept, signature=None):
            raise RegistryError(f"{given.id} is in the registry already, as another model: give it another version")
        if card is not None:
            self.files.create(f"{folder}/{CARD}", card)
        if not any(one.kind == "registered" and one.model == given.id for one in self.decisions()):
            self._append(lambda number: self._decision(number, there, "registered", by, why))
        return there

    def adopt(self, manifest_file: Path, site: str, by: str) -> ModelManifest:
        """Register the model that the site's config names, and note that it is in service: what others are held
        against, and what a first rollback leads to. Once the log knows of one in service this changes nothing there.
        """
        manifest = self.register(manifest_file, by, "named by the config")
        slot = slot_of(manifest)
        while not self.standing(site).get(slot, Standing()).in_service:
            number = len(self.decisions()) + 1
            why = "in service by the config, before the registry"
            self._create(self._decision(number, manifest, "promoted", by, why, site=site, forced=why))
        return manifest

    def versions(self) -> list[Version]:
        """All that are there, by name, the latest registered last."""
        decisions = self.decisions()
        order = {one.model: one.number for one in decisions if one.kind == "registered"}
        names = [name for name in self.files.folders("") if name != LOG]
        ids = [f"{name}@{version}" for name in names for version in self.files.folders(name)]
        found = [Version(one, _about(decisions, one.id)) for id in ids if (one := self._manifest(id)) is not None]
        return sorted(found, key=lambda one: (one.manifest.name, order.get(one.id, 0), one.manifest.version))

    def get(self, id: str) -> Version:
        """One version; raises RegistryError."""
        return Version(self.manifest(id), _about(self.decisions(), id))

    def manifest(self, id: str) -> ModelManifest:
        """What a version says of itself; raises NoVersionError where there is none."""
        found = self._manifest(id)
        if found is None:
            raise NoVersionError(f"there is no {id} in {self.files.place('')}")
        return found

    def card(self, id: str) -> str:
        """The card of a version, empty where it has none."""
        return self._text("/".join((*_parts(id), CARD)))

    def learnt(self, id: str) -> frozenset[str]:
        """The SHA-256 of the pictures that a version was trained on, empty where that is not known.

        Raises ModelError where the list is not the one that the manifest names, and with it signs.
        """
        folder, manifest = "/".join(_parts(id)), self.manifest(id)
        path = f"{folder}/{_learnt_file(manifest)}"
        data = self.files.read(path) or self.files.read(f"{folder}/{LEARNT}") or b""  # as earlier versions kept it
        if _learnt_sha256(manifest) not in ("", hashlib.sha256(data).hexdigest()):
            raise ModelError(f"{id}: {self.files.place(path)} is not the list that the manifest names")
        return frozenset(data.decode(errors="replace").split())

    def report(self, decision: Decision) -> str:
        """The report of a gate, for people."""
        return self._text(decision.report) if decision.report else ""

    def figures(self, decision: Decision) -> bytes:
        """The report of a gate as JSON, empty where there is none."""
        stem, _, _ = decision.report.rpartition(".")
        return (self.files.read(f"{stem}.json") or b"") if stem else b""

    def verify(self, id: str) -> ModelManifest:
        """Hold a version's files against its manifest, and that against the trusted keys; raises ModelError."""
        manifest = self.manifest(id)
        self._checked(manifest)
        return manifest

    def fetch(self, id: str, cache: Path) -> tuple[ModelManifest, Path]:
        """A version in a folder of its own below `cache`, checked as `verify` does; what is there is not read again.

        Raises RegistryError or ModelError.
        """
        manifest = self.manifest(id)
        check_signature(manifest, self._trusted)
        folder = cache / manifest.name / f"{manifest.version}-{manifest.sha256[:12]}"
        if not _whole(manifest, folder):
            data = self._checked(manifest)
            folder.mkdir(parents=True, exist_ok=True)
            for file, content in data.items():
                write_file(folder / file, content)
        write_file(folder / MANIFEST, _encoder.encode(manifest))
        return manifest, folder

    def decisions(self) -> tuple[Decision, ...]:
        """The whole log, in its order; what was read once is not read again."""
        read = self._read
        while (data := self.files.read(_entry(len(read) + 1))) is not None:
            read = (*read, _decoded(data, self.files.place(_entry(len(read) + 1))))
        if len(read) > len(self._read):
            self._read = read
        return read

    def standing(self, site: str) -> dict[str, Standing]:
        """What the site runs, by slot."""
        return standing(self.decisions(), site)

    def gated(self, id: str, *, passed: bool, against: str, report: tuple[bytes, bytes], by: str, why: str) -> Decision:
        """Keep the gate's word on a version with its report, as JSON and for people."""
        manifest = self.manifest(id)
        stem = f"{manifest.name}/{manifest.version}/gates/{hashlib.sha256(report[0]).hexdigest()[:12]}"
        for data, ending in zip(report, ("json", "md"), strict=True):
            self.files.create(f"{stem}.{ending}", data)
        about = {"passed": passed, "against": against, "report": f"{stem}.md"}
        return self._append(lambda number: self._decision(number, manifest, "gated", by, why, **about))

    def promote(
        self,
        id: str,
        site: str,
        stage: Stage,
        *,
        by: str,
        why: str = "",
        cameras: tuple[str, ...] = (),
        share: float = SHARE,
        forced: str = "",
    ) -> Decision:
        """Decide that a version goes to a stage at a site; the `controls` topic has to be told after that.

        Raises RegistryError for one that the gate has not let through, unless `forced` says why it goes all the same;
        ModelError where file or signature don't match.
        """
        manifest = self.verify(id)
        slot = slot_of(manifest)
        if manifest.task not in CHANGED_WHILE_RUNNING:
            raise RegistryError(f"{id} is a {manifest.task}: those go into service with the config and a start")
        if manifest.task != "detector" and stage != EVERYWHERE:
            raise RegistryError(f"{id} is a {manifest.task}: those go everywhere at once")
        if stage == "canary" and not cameras:
            raise RegistryError("a canary is at some cameras: name them")
        if stage == EVERYWHERE and cameras:
            raise RegistryError("everywhere is at all cameras: name none")

        def decision(number: int) -> Decision:
            if not forced:
                self._may_go(id, self.standing(site).get(slot, Standing()))
            where = {"site": site, "stage": stage, "cameras": cameras, "share": share, "forced": forced}
            return self._decision(number, manifest, "promoted", by, why, **where)

        return self._append(decision)

    def rollback(self, slot: str, site: str, *, by: str, why: str = "", model: str = "") -> Decision:
        """Take the candidate back, or where there is none put the version into service that was there before.

        `model` is what is expected to go; raises RegistryError where that is not what would, or nothing can.
        """

        def decision(number: int) -> Decision:
            now = self.standing(site).get(slot, Standing())
            going = now.candidate.model if now.candidate is not None else now.in_service
            if not going or (now.candidate is None and not now.before):
                raise RegistryError(f"{site}: nothing to roll back: as {slot} there was no other version before")
            if model and model != going:
                raise RegistryError(f"{site}: {going} would be rolled back, not {model}")
            instead = now.in_service if now.candidate is not None else now.before[-1]
            return self._decision(number, self.manifest(going), "rolled_back", by, why, site=site, instead=instead)

        return self._append(decision)

    def _may_go(self, id: str, now: Standing) -> None:
        gate = gate_of(self.decisions(), id)
        if gate is None:
            raise RegistryError(f"{id} has not been through the gate: `vedette models gate {id}`")
        if not gate.passed:
            raise RegistryError(f"{id} was refused by the gate: {gate.why}")
        if now.in_service not in ("", gate.against, id):
            raise RegistryError(
                f"{id} was held against {gate.against}, but {now.in_service} is in service by now: gate it once more"
            )

    def _decision(self, number: int, of: ModelManifest, kind: Kind, by: str, why: str, **more: object) -> Decision:
        values = {"number": number, "kind": kind, "model": of.id, "slot": slot_of(of)}
        return convert(values | {"at_ms": self._clock_ms(), "by": by, "why": why} | more, Decision)

    def _append(self, decision: Callable[[int], Decision]) -> Decision:
        """Add the next entry; when somebody else was first, it is decided anew on what they wrote."""
        while True:
            made = decision(len(self.decisions()) + 1)
            if self._create(made):
                return made

    def _create(self, decision: Decision) -> bool:
        """Whether it is the log's next entry, and not somebody else's."""
        return self.files.create(_entry(decision.number), _encoder.encode(decision))

    def _manifest(self, id: str) -> ModelManifest | None:
        if id not in self._manifests:
            path = "/".join((*_parts(id), MANIFEST))
            data = self.files.read(path)
            if data is None:
                return None
            try:
                found = from_json(data, ModelManifest)
            except msgspec.MsgspecError as error:
                raise RegistryError(f"{self.files.place(path)}: {error}") from error
            _check_place(found, id, self.files.place(path))
            self._manifests[id] = found
        return self._manifests[id]

    def _checked(self, manifest: ModelManifest) -> dict[str, bytes]:
        """What is in each of the version's files; raises ModelError where they aren't what was signed."""
        check_signature(manifest, self._trusted)
        checked = {}
        for file, wanted in files_of(manifest).items():
            path = f"{manifest.name}/{manifest.version}/{file}"
            data, place = self.files.read(path), self.files.place(path)
            if data is None:
                raise ModelError(f"{manifest.id}: {place} is missing")
            digest = hashlib.sha256(data).hexdigest()
            if digest != wanted:
                raise ModelError(f"{manifest.id}: {place} has sha256 {digest}, the manifest says {wanted}")
            checked[file] = data
        return checked

    def _text(self, path: str) -> str:
        return (self.files.read(path) or b"").decode(errors="replace")


def registry_of(models: Models, clock_ms: Callable[[], int], signer: Signer | None = None) -> Registry | None:
    """The registry that the config names, None where it names none; raises VaultError. Nothing is opened yet."""
    if models.s3 is not None:
        return Registry(Bucket(models.s3), trusted_keys(models), clock_ms, signer)
    if not models.folder:
        return None
    return Registry(Folder(Path(models.folder).expanduser()), trusted_keys(models), clock_ms, signer)


def _check_place(manifest: ModelManifest, id: str, place: str) -> None:
    """Raise RegistryError where a manifest, however well signed, is another version's, or names files elsewhere."""
    if manifest.id != id:
        raise RegistryError(f"{place}: is the manifest of {manifest.id[:130]}")
    for file in files_of(manifest):
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise RegistryError(f"{place}: names a file outside its folder: {file[:130]}")


def _parts(id: str) -> tuple[str, str]:
    """Name and version, which are names of folders."""
    name, _, version = id.partition("@")
    if not (_NAME.fullmatch(name) and _NAME.fullmatch(version)):
        raise NoVersionError(f"`{id[:130]}` is no model's id: NAME@VERSION, of letters, digits, dots and dashes")
    return name, version


def _entry(number: int) -> str:
    return f"{LOG}/{number:08}.json"


def _decoded(data: bytes, place: str) -> Decision:
    try:
        return from_json(data, Decision)
    except msgspec.MsgspecError as error:
        raise RegistryError(f"{place}: {error}") from error


def _about(decisions: Sequence[Decision], id: str) -> tuple[Decision, ...]:
    return tuple(one for one in decisions if one.model == id)


def _by_content(given: ModelManifest) -> ModelManifest:
    """With files named after what is in them: who loses a race for the version writes over nothing of the winner's."""
    names = {file: f"{sha256[:12]}-{Path(file).name}" for file, sha256 in files_of(given).items()}
    calibration = given.calibration
    if calibration is not None and calibration.cohort:
        calibration = replace(calibration, cohort=names[calibration.cohort])
    return replace(given, file=names[given.file], calibration=calibration)


def _beside(manifest_file: Path, ending: str) -> bytes | None:
    """What lies beside a manifest under its name, None where nothing does."""
    beside = manifest_file.with_suffix(ending)
    return beside.read_bytes() if beside.is_file() else None


def _learnt_sha256(manifest: ModelManifest) -> str:
    """The hash of the list of pictures that a version learnt, empty where its lineage names none."""
    data = manifest.lineage.data if manifest.lineage is not None else ()
    return next((one.sha256 for one in data if one.name == LEARNT), "")


def _learnt_file(manifest: ModelManifest) -> str:
    """Named after what is in it, as the model's files are."""
    sha256 = _learnt_sha256(manifest)
    return f"{sha256[:12]}-{LEARNT}" if sha256 else LEARNT


def _whole(manifest: ModelManifest, folder: Path) -> bool:
    try:
        for file in files_of(manifest):
            model_bytes(manifest, folder, file)
    except ModelError:
        return False
    return True
