"""A collection in a folder or a bucket: pictures, labels, samples, the queue, and versions that never change.

`pictures/<ab>/<sha256>.jpg`, `samples/<site>/<sha256>.json`, `labels/<sha256>.json`, `queue.json`, how models see boxes
(`vectors/<model>/<sha256>.msgpack`, made anew where they lack), and for each version `versions/<id>/` with
`index.jsonl`, `index.parquet`, `annotations.json` and, last, `about.json`: a version without it does not count, so a
kill at any moment leaves the last whole one.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from archive.collection.coco import coco
from archive.collection.items import (
    About,
    Box,
    Item,
    Labels,
    Sample,
    digest,
    index_of,
    items_of,
    picture_path,
)
from archive.evidence.files import Bucket, Files, Folder
from archive.history.parquet import COMPRESSION, connected, quoted
from contracts.config import Learning
from contracts.decoding import from_json
from contracts.errors import VedetteError

VERSIONS, SAMPLES, LABELS, PICTURES, VECTORS = "versions", "samples", "labels", "pictures", "vectors"
ABOUT, INDEX, PARQUET, COCO = "about.json", "index.jsonl", "index.parquet", "annotations.json"


class Version(NamedTuple):
    """One version: what is said of it, and its items in the order of time."""

    about: About
    items: tuple[Item, ...]


class Collection:
    """One collection. Nothing is read before it is asked for."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def versions(self) -> list[About]:
        """All whole versions, the oldest first."""
        found = [self._about(name) for name in self.files.folders(VERSIONS)]
        return sorted((about for about in found if about is not None), key=lambda about: about.number)

    def load(self, id: str = "") -> Version:
        """A version by its id or the id's beginning; "" is the newest. Raises VedetteError: none such, or damaged."""
        known = self.versions()
        if not known:
            raise VedetteError(f"nothing is collected yet in {self.files.place('')}: `vedette dataset collect`")
        fitting = [about for about in known if about.id.startswith(id)] if id else known[-1:]
        if len(fitting) != 1:
            raise VedetteError(f"{len(fitting)} versions of the collection begin with {id!r}")
        about = fitting[0]
        index = self.files.read(f"{VERSIONS}/{about.id}/{INDEX}")
        if index is None or digest(index) != about.id:
            raise VedetteError(f"{self.files.place(f'{VERSIONS}/{about.id}/{INDEX}')} is not what it was")
        return Version(about, items_of(index))

    def picture(self, sha256: str) -> bytes | None:
        """A picture's JPEG; None for one that is gone, as its alert is, or that was damaged."""
        data = self.files.read(picture_path(sha256))
        return data if data is not None and digest(data) == sha256 else None

    def keep_picture(self, jpeg: bytes) -> str:
        """Keep a picture; returns its name."""
        name = digest(jpeg)
        if self.files.size(picture_path(name)) != len(jpeg):
            self.files.write(picture_path(name), jpeg)
        return name

    def forget_picture(self, sha256: str) -> None:
        """Delete a picture and what was made of it; versions keep their line."""
        self.files.delete(picture_path(sha256))
        self.files.delete(f"{LABELS}/{sha256}.json")
        for model in self.files.folders(VECTORS):
            self.files.delete(f"{VECTORS}/{model}/{sha256}.msgpack")

    def samples(self) -> list[Sample]:
        """The frames that were kept because they are worth a label."""
        paths = self.files.paths(SAMPLES)
        return [from_json(data, Sample) for path in paths if (data := self.files.read(path)) is not None]

    def keep_sample(self, sample: Sample, jpeg: bytes) -> None:
        """Keep a frame: its picture first."""
        self.keep_picture(jpeg)
        self.files.write(f"{SAMPLES}/{sample.item.site}/{sample.item.sha256}.json", msgspec.json.encode(sample))

    def forget_sample(self, sample: Sample) -> None:
        """The frame is no sample any more; its picture goes with the next version."""
        self.files.delete(f"{SAMPLES}/{sample.item.site}/{sample.item.sha256}.json")

    def labels(self) -> dict[str, Labels]:
        """What people drew, by picture."""
        paths = self.files.paths(LABELS)
        found = {path.rpartition("/")[2].removesuffix(".json"): self.files.read(path) for path in paths}
        return {name: from_json(data, Labels) for name, data in found.items() if data is not None}

    def keep_labels(self, sha256: str, boxes: Sequence[Box], by: str, at_ms: int) -> None:
        """Keep what a person drew on a picture, instead of what was drawn before."""
        made = Labels(boxes=tuple(boxes), by=by, at_ms=at_ms)
        self.files.write(f"{LABELS}/{sha256}.json", msgspec.json.encode(made))

    def commit(
        self, items: Sequence[Item], made_at_ms: int, labellers: Sequence[str] = (), left_out: Mapping[str, int] = {}
    ) -> About:
        """Make a version of items whose pictures are kept; the same items give the version that is there already."""
        index = index_of(items)
        id = digest(index)
        known = self._about(id)
        if known is not None:
            return known
        ordered = items_of(index)
        written = {INDEX: index, PARQUET: parquet(index), COCO: coco(ordered)}
        for name, data in written.items():
            self.files.write(f"{VERSIONS}/{id}/{name}", data)
        about = About(
            id=id,
            number=max((one.number for one in self.versions()), default=0) + 1,
            made_at_ms=made_at_ms,
            pictures=len(ordered),
            cameras=dict(sorted(Counter(item.camera for item in ordered).items())),
            answers=dict(sorted(Counter(item.answer for item in ordered if item.answer).items())),
            labellers=tuple(labellers),
            left_out=dict(left_out),
            files={name: digest(data) for name, data in written.items()},
        )
        self.files.write(f"{VERSIONS}/{id}/{ABOUT}", msgspec.json.format(msgspec.json.encode(about), indent=2))
        return about

    def copy(self, about: About, into: Files) -> None:
        """Bring a version with its pictures elsewhere; what is there already stays, and `about` comes last."""
        ours = {f"{VERSIONS}/{about.id}/{name}" for name in about.files}
        pictures = [picture_path(item.sha256) for item in self.load(about.id).items]
        for path in (*sorted(ours), *pictures, f"{VERSIONS}/{about.id}/{ABOUT}"):
            data = self.files.read(path) if into.size(path) is None else None
            if data is not None:  # a picture may be gone since
                into.write(path, data)

    def held(self) -> list[str]:
        """Where pictures, and what is known of each, lie at this moment."""
        return [path for folder in (PICTURES, LABELS, VECTORS) for path in self.files.paths(folder)]

    def sweep(self, keep: Sequence[str], held: Sequence[str]) -> int:
        """Delete what of `held` belongs to pictures that nothing may hold any more, all but `keep`, and half versions.

        `held` is from before `keep` was made: what was sampled or drawn since is nobody's to delete.
        """
        kept, gone = set(keep), 0
        for path in held:
            if path.rpartition("/")[2].partition(".")[0] not in kept:
                self.files.delete(path)
                gone += 1
        for name in self.files.folders(VERSIONS):
            if self._about(name) is None:
                self.files.clear(f"{VERSIONS}/{name}")
        return gone

    def _about(self, id: str) -> About | None:
        data = self.files.read(f"{VERSIONS}/{id}/{ABOUT}")
        return from_json(data, About) if data is not None else None


def collection_files(config: Learning, state: Path) -> Files:
    """What the config names, else the folder in the state folder. Nothing is opened or connected yet."""
    if config.s3 is not None:
        return Bucket(config.s3)
    return Folder(Path(config.folder).expanduser() if config.folder else state / "collection")


def parquet(index: bytes) -> bytes:
    """The index as Parquet, a row a picture, its boxes as a list of structs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines, made = folder / "index.jsonl", folder / "index.parquet"
        lines.write_bytes(index)
        columns = ", ".join(f"{column}: {quoted(kind)}" for column, kind in COLUMNS.items())
        query = f"SELECT * FROM read_json({quoted(str(lines))}, format = 'newline_delimited', columns = {{{columns}}})"  # noqa: S608
        database = connected(folder, "index")
        database.execute(f"COPY ({query}) TO {quoted(str(made))} {COMPRESSION}")
        database.close()
        return made.read_bytes()


COLUMNS = {
    "sha256": "VARCHAR",
    "width": "BIGINT",
    "height": "BIGINT",
    "site": "VARCHAR",
    "camera": "VARCHAR",
    "captured_at_ms": "BIGINT",
    "source": "VARCHAR",
    "reasons": "VARCHAR[]",
    "model": "VARCHAR",
    "alert": "VARCHAR",
    "rule": "VARCHAR",
    "rule_version": "BIGINT",
    "answer": "VARCHAR",
    "answered_by": "VARCHAR",
    "answered_at_ms": "BIGINT",
    "complete": "BOOLEAN",
    "agreement": "DOUBLE",
    "identities": "MAP(VARCHAR, BOOLEAN)",
    "boxes": 'STRUCT(xyxy DOUBLE[], label VARCHAR, kind VARCHAR, confidence DOUBLE, "by" VARCHAR, '
    "alert VARCHAR, at_ms BIGINT, attributes VARCHAR[])[]",
}
"""The columns of the Parquet index, as DuckDB writes them."""
