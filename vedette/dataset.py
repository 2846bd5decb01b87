"""`vedette dataset`: collects what a model may learn from, shows it, and exchanges it with labelling tools."""

from __future__ import annotations

import datetime as dt
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from archive.collection.cleaning import clean, found_before
from archive.collection.coco import coco
from archive.collection.collect import QUEUE, Collector
from archive.collection.cvat import from_cvat, to_cvat
from archive.collection.doubted import doubted_before, standing, whose
from archive.collection.items import Item, Sample
from archive.collection.label_studio import from_label_studio, interface, to_label_studio
from archive.collection.labelling import SHOTS, Shot, from_shots, name_of, to_shots
from archive.collection.lease import Still, Work, leased
from archive.collection.quality import quality
from archive.collection.queue import Wanted
from archive.collection.seeing import Models, decoded
from archive.collection.store import Collection, Version, collection_files
from archive.evidence.files import files_of
from contracts.config import Config
from contracts.decoding import from_json
from contracts.errors import VedetteError
from contracts.face_models import manifest_path
from vedette.alone import alone
from vedette.export import in_force

Format = Literal["cvat", "label-studio"]
"""Of labelling tools, there and back."""
FROZEN: Literal["coco"] = "coco"
"""Goes out only, to be frozen for the gate: the pictures that are labelled as a whole."""
ANNOTATIONS = {"cvat": "annotations.xml", "label-studio": "tasks.json", FROZEN: "annotations.json"}


class DataSets:
    """The collection of one site on this machine, as its config says with what the console has changed."""

    def __init__(self, config: Config, config_file: Path, state: Path) -> None:
        self._config = in_force(config, state) if config.console.enabled else config
        self._config_file = config_file
        self._state = state
        self.collection = Collection(collection_files(self._config.learning, state / "archive"))

    def collect(self, now_ms: int) -> int:
        """Make the next version, as the only one who does: each would clear the other's half one.

        Raises SetupError or LeaseError as `alone` does.
        """
        with self.alone("collecting") as still:
            return self._collect(now_ms, still)

    @contextmanager
    def alone(self, work: Work) -> Iterator[Still]:
        """The only one at this work on the collection meanwhile; what is given raises LeaseError where it no longer is.

        Raises SetupError where another is at it, LeaseError where that may be on another machine (in a bucket).
        """
        learning = self._config.learning
        folder = Path(learning.folder).expanduser() if learning.folder and learning.s3 is None else None
        lock = (folder or self._state / "archive") / f"{work}.lock"
        with alone(lock, f"Another {work} runs on {folder or self._state}"):
            if learning.s3 is None:
                yield lambda: None
                return
            by = f"{socket.gethostname()}, process {os.getpid()},"
            with leased(self.collection.files, by, time.sleep, work=work) as still:
                yield still

    def _collect(self, now_ms: int, still: Still) -> int:
        learning, cameras = self._config.learning, self._config.cameras
        teachers = [self._config_file.parent / path for path in learning.teachers]
        collector = Collector(
            self.collection,
            files_of(self._config.evidence, self._state / "archive"),
            Models([manifest_path(self._config, self._config_file), *teachers]),
            lambda camera: camera in cameras and cameras[camera].faces.anonymise,
            keep_days=learning.keep_days,
            queue_most=learning.queue,
        )
        about, wanted = collector.collect(now_ms, still)
        print(f"version {about.number}: {about.id[:12]}, {about.pictures} pictures; {len(wanted)} wait for a label")
        for reason, count in about.left_out.items():
            print(f"  left out: {count}, {reason}")
        return 0

    def queue(self) -> tuple[Wanted, ...]:
        """What waits for a person's label."""
        data = self.collection.files.read(QUEUE)
        return from_json(data, tuple[Wanted, ...]) if data is not None else ()


def list_versions(collection: Collection) -> int:
    """All versions, the newest last."""
    for about in collection.versions():
        made = dt.datetime.fromtimestamp(about.made_at_ms / 1000, dt.UTC)
        answers = ", ".join(f"{count} {answer}" for answer, count in about.answers.items()) or "no answers"
        print(f"{about.number:4}  {about.id[:12]}  {made:%Y-%m-%d %H:%M}Z  {about.pictures} pictures, {answers}")
    if not collection.versions():
        print(f"nothing is collected yet in {collection.files.place('')}: `vedette dataset collect`")
    return 0


def show(collection: Collection, id: str, waiting: Sequence[Wanted]) -> int:
    """One version: where its pictures come from and what is known of them, and what waits for a label."""
    about, items = collection.load(id)
    print(f"version {about.number}, {about.id}")
    for title, counts in (
        ("cameras", about.cameras),
        ("answers", about.answers),
        ("boxes", Counter(f"{box.kind} {box.label}" for item in items for box in item.learnt)),
        ("left out", about.left_out),
    ):
        print(f"  {title}: " + (", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"))
    cleaned = found_before(collection)
    for camera, told in quality(items, cleaned.doubts if cleaned.version else None).items():
        for words, share in (
            ("answered places of which models say the same", told.agreed),
            ("labelled pictures that cleaning doubts", told.doubted),
            ("things on pictures drawn at random that models miss", told.missed),
        ):
            if share is not None:
                print(f"  {camera}: {share.hits} of {share.all} {words} ({share.low:.0%} to {share.high:.0%})")
    if by := whose(items, standing(items, doubted_before(collection))):
        who = ", ".join(f"{name} {count}" for name, count in by.items())
        print(f"  said of pictures that a training contradicts, by whom: {who}")
    print(f"  {len(waiting)} pictures wait for a label")
    for one in waiting[:10]:
        print(f"    {one.sha256[:12]}  {one.camera}  {one.score:.2f}  {'; '.join(one.reasons)}")
    return 0


def look_again(collection: Collection, id: str) -> int:
    """Say what of a version should be looked at again; the queue of the next collecting asks for it."""
    found = clean(collection, id)
    print(f"version {found.version[:12]}: {len(found.broken)} broken, {len(found.alike)} groups of near duplicates")
    for name, reason in found.broken.items():
        print(f"  {name[:12]}: {reason}")
    for group in found.alike:
        print(f"  {len(group)} alike: {' '.join(name[:12] for name in group[:8])}")
    for name, reasons in found.doubts.items():
        print(f"  {name[:12]}: {'; '.join(f'{reason} ({doubt:.2f})' for reason, doubt in reasons.items())}")
    return 0


def export(
    collection: Collection, version: Version, chosen: Sequence[str], format: Format | Literal["coco"], out: Path
) -> int:
    """Write pictures and their boxes for a labelling tool, or for the gate; `chosen` (empty: all) are pictures' names.

    Raises VedetteError where nothing is labelled that could be frozen.
    """
    wanted = [item for item in version.items if not chosen or item.sha256 in chosen]
    if format == FROZEN and not (wanted := [item for item in wanted if item.complete]):
        raise VedetteError("no picture is labelled as a whole: `vedette dataset export`, label them, and `import`")
    pictures = out / "images"
    pictures.mkdir(parents=True, exist_ok=True)
    there = []
    for item in wanted:
        jpeg = collection.picture(item.sha256)
        if jpeg is not None:
            (pictures / name_of(item)).write_bytes(jpeg)
            there.append(item)
    match format:
        case "cvat":
            annotations = to_cvat(there)
        case "coco":
            annotations = coco(there, lambda item: f"images/{name_of(item)}")
        case "label-studio":
            annotations = to_label_studio(there, "images")
            (out / "interface.xml").write_text(interface(there), encoding="utf-8")
    (out / ANNOTATIONS[format]).write_bytes(annotations)
    (out / SHOTS).write_bytes(to_shots(there))
    print(f"{out}: {len(there)} pictures, {len(wanted) - len(there)} are gone; {ANNOTATIONS[format]}")
    return 0


def take_in(collection: Collection, file: Path, format: Format, site: str, camera: str, now_ms: int, by: str) -> int:
    """Take what was drawn; an unknown picture is read from `images/` beside the file.

    Whose it is and when it was taken `pictures.jsonl` says, else it is one of `camera` of this moment: pictures of one
    moment are one passage, of which nothing is measured with while the rest is trained on.
    """
    read = from_cvat if format == "cvat" else from_label_studio
    known = {item.sha256 for item in (collection.load().items if collection.versions() else ())}
    known |= {sample.item.sha256 for sample in collection.samples()}
    beside, pictures = file.parent / SHOTS, file.parent / "images"
    shots = from_shots(beside.read_bytes()) if beside.is_file() else {}
    labelled = untimed = lost = 0
    for drawn in read(file.read_bytes(), by):
        name = drawn.name.partition(".")[0]
        if name not in known:
            shot = shots.get(drawn.name, Shot(name=drawn.name))
            taken = _taken(collection, pictures / drawn.name, shot, site, camera, now_ms)
            if taken is None:
                lost += 1
                continue
            untimed += not shot.captured_at_ms
            name = taken
        collection.keep_labels(name, drawn.boxes, drawn.by, now_ms)
        labelled += 1
    print(f"{labelled} pictures labelled, {lost} not known and not in images/")
    if untimed:
        print(f"{untimed} have no time in {SHOTS}: they count as taken now, as one passage")
    return 0


def _taken(collection: Collection, path: Path, shot: Shot, site: str, camera: str, now_ms: int) -> str | None:
    """Keep a picture that isn't known yet; its name, None where there is no file."""
    if not path.is_file():
        return None
    jpeg = path.read_bytes()
    picture = decoded(jpeg)
    if picture is None:
        raise VedetteError(f"{path}: not a picture that can be decoded")
    item = Item(
        sha256=collection.keep_picture(jpeg),
        width=picture.shape[1],
        height=picture.shape[0],
        site=site,
        camera=shot.camera or camera,
        captured_at_ms=shot.captured_at_ms or now_ms,
        source="import",
        reasons=(f"imported from {shot.name}",),
    )
    collection.keep_sample(Sample(item=item), jpeg)
    return item.sha256
