"""Pictures with a label each, from folders or an index, parted so that near duplicates stay together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import duckdb
import numpy as np
from numpy.typing import NDArray

from archive.collection.duplicates import fingerprint, groups
from contracts.errors import ConfigError
from contracts.fields import Xyxy
from training.dataset import Picture, read_picture
from training.gate.sets import NOTHING, Frozen
from training.readers import PICTURES, Skipped
from training.recipe import Role
from training.replay import FROZEN, judged_with

PARTS: dict[str, Role] = {
    "train": "train",
    "validate": "validate",
    "val": "validate",
    "valid": "validate",
    "test": "test",
}
INDEXES = {
    ".csv": "read_csv(?, all_varchar = true)",  # everything is text: `no` is a label, not a boolean
    ".json": "read_json(?)",
    ".jsonl": "read_json(?)",
    ".parquet": "read_parquet(?)",
}
"""How a table is read, by its name's end."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture on disk, or the box `xyxy` (px) of one, and the label that it has; `group` stays together.

    `old` are those of before, which are replayed; below 1 `weight` says how far the label is to be believed.
    """

    path: Path
    label: str
    part: Role
    xyxy: Xyxy | None = None
    group: str = ""
    old: bool = False
    weight: float = 1.0

    def read(self) -> Picture:
        """The picture, or its part, as uint8[H,W,3] BGR; ValueError when it can't be decoded."""
        picture = read_picture(self.path)
        if self.xyxy is None:
            return picture
        height, width = picture.shape[:2]
        x1, y1, x2, y2 = (round(value) for value in self.xyxy)
        part = picture[max(0, y1) : min(height, y2), max(0, x1) : min(width, x2)]
        if not part.size:
            raise ValueError(f"{self.path.name}: the box {self.xyxy} lies beyond the picture")
        return part


@dataclass(frozen=True)
class Pictures:
    """What there is to learn from, to stop by and to measure with, and what was left out and why."""

    labels: tuple[str, ...]
    items: tuple[Labelled, ...]
    skipped: tuple[Skipped, ...]

    def of(self, part: Role, *, old: bool | None = None) -> tuple[Labelled, ...]:
        """The pictures of one part; `old` leaves those of before, or the new ones."""
        return tuple(one for one in self.items if one.part == part and old in (None, one.old))

    def targets(self, items: Iterable[Labelled]) -> NDArray[np.int64]:
        """The number of each item's label."""
        return np.array([self.labels.index(one.label) for one in items], np.int64)

    @property
    def told(self) -> str:
        """How many pictures there are of each part, in a line, and how many of them have a label that is unsure."""
        parts = ((part, self.of(part)) for part in dict.fromkeys(PARTS.values()))
        counts = ((part, len(own), sum(one.weight < 1 for one in own)) for part, own in parts)
        return ", ".join(
            f"{all_} to {part}" + (f" ({unsure} unsure)" if unsure else "") for part, all_, unsure in counts
        )

    @property
    def sha256(self) -> str:
        """A hash of what is learnt from and measured with: names, labels, parts and sizes of the files."""
        lines = (
            f"{one.path.name}|{one.xyxy}|{one.label}|{one.part}|{one.path.stat().st_size}"
            + (f"|{one.weight}" if one.weight != 1 else "")
            for one in self.items
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_measured(source: Path, labels: Sequence[str]) -> Pictures:
    """The pictures to measure with, as `test`: that part, else `val`, else all; ConfigError where there is none."""
    given, skipped = _seen(list(_read(source)))
    part = next((part for part in ("test", "validate") if any(one.part == part for one in given)), "train")
    items = tuple(replace(one, part="test") for one in given if one.part == part)
    if not items:
        raise ConfigError("data", f"{source.name} has no picture")
    if unknown := {one.label for one in items} - set(labels):
        raise ConfigError("data", f"the model doesn't know the labels {sorted(unknown)}")
    return Pictures(tuple(labels), items, tuple(skipped))


def read_pictures(
    source: Path | Sequence[Labelled],
    labels: Sequence[str],
    *,
    hold_out: float,
    seed: int,
    measure: float = 0.2,
    replay: Path | None = None,
    frozen: Frozen = NOTHING,
) -> Pictures:
    """Read a folder (`train/LABEL/*`, and `val` or `test`) or an index, or take pictures; and what is replayed.

    Where only two parts are there, the second is for measuring, and `hold_out` of the training pictures are held out
    to stop by; where only one is there, `measure` of it are set apart first. Training pictures that are near
    duplicates of measured ones are left out, and of what is replayed all that is `frozen`, or looks so. Raises
    ConfigError when a part, or a label's pictures, are missing.
    """
    given = list(_read(source) if isinstance(source, Path) else source)
    old = [replace(one, old=True) for one in _read(replay)] if replay is not None else []
    judged = {path for path in {one.path for one in old if one.path.exists()} if judged_with(path.read_bytes(), frozen)}
    given += [one for one in old if one.path not in judged]
    names = tuple(labels) or tuple(sorted({one.label for one in given}))
    if unknown := {one.label for one in given} - set(names):
        raise ConfigError("labels", f"the pictures have labels that the recipe does not name: {sorted(unknown)}")
    seen, skipped = _seen(given)
    if not any(one.part == "test" for one in seen):
        seen = [replace(one, part="test") if one.part == "validate" else one for one in seen]
    if not any(one.part == "test" for one in seen):
        seen = _set_apart(seen, "test", measure, seed)
    seen, doubles = _without_doubles(seen)
    if not any(one.part == "validate" for one in seen):
        seen = _set_apart(seen, "validate", hold_out, seed)
    left_out = [Skipped(path.name, FROZEN) for path in sorted(judged)]
    pictures = Pictures(names, tuple(seen), (*skipped, *doubles, *left_out))
    for part in ("train", "validate"):
        if lacking := set(names) - {one.label for one in pictures.of(part)}:
            raise ConfigError("data", f"there is no picture to {part} of {', '.join(sorted(lacking))}")
    return pictures


def _read(source: Path) -> Iterator[Labelled]:
    if source.is_dir():
        yield from _read_folder(source)
    elif source.suffix in INDEXES and source.exists():
        yield from _read_index(source)
    else:
        kinds = ", ".join(ending[1:] for ending in INDEXES)
        raise ConfigError("data", f"{source.name} is no folder, and no index ({kinds})")


def _read_folder(source: Path) -> Iterator[Labelled]:
    """`PART/LABEL/picture`; folders of labels without parts are all for training."""
    parts = {source / name: part for name, part in PARTS.items() if (source / name).is_dir()}
    whole: dict[Path, Role] = {source: "train"}
    for folder, part in (parts or whole).items():
        for path in sorted(folder.glob("*/*")):
            if path.suffix.lower() in PICTURES:
                yield Labelled(path, path.parent.name, part)


def _read_index(source: Path) -> Iterator[Labelled]:
    """A table with `path` (relative to it), `label`, and if wanted `part`, `group`, and the box `x1 y1 x2 y2`."""
    try:
        with duckdb.connect() as database:
            asked = database.execute(f"select * from {INDEXES[source.suffix]}", [str(source)])  # noqa: S608
            columns = [str(column[0]) for column in asked.description or ()]
            rows = asked.fetchall()
    except duckdb.Error as error:
        raise ConfigError("data", f"{source.name}: {error}") from error
    if lacking := {"path", "label"} - set(columns):
        raise ConfigError("data", f"{source.name} has no column {', '.join(sorted(lacking))}")
    for values in rows:
        row = dict(zip(columns, values, strict=True))
        part = PARTS.get(str(row.get("part") or "train"))
        if part is None:
            raise ConfigError("data", f"{source.name}: `{row['part']}` is none of {', '.join(PARTS)}")
        box = [row.get(side) for side in ("x1", "y1", "x2", "y2")]
        xyxy = None if None in box else (float(box[0]), float(box[1]), float(box[2]), float(box[3]))  # type: ignore[arg-type]
        group = str(row.get("group") or "")
        yield Labelled(source.parent / str(row["path"]), str(row["label"]), part, xyxy, group)


def _seen(given: Sequence[Labelled]) -> tuple[list[Labelled], list[Skipped]]:
    """Those that can be decoded, each with the group of its near duplicates and of what came with them; the others."""
    kept, prints, skipped = [], [], []
    for one in given:
        try:
            prints.append(fingerprint(one.read()))
        except (ValueError, cv2.error) as error:
            skipped.append(Skipped(str(one.path.name), str(error)))
        else:
            kept.append(one)
    together = groups(prints, given=[one.group for one in kept])
    return [replace(one, group=f"like {k}") for one, k in zip(kept, together, strict=True)], skipped


def _without_doubles(items: Sequence[Labelled]) -> tuple[list[Labelled], list[Skipped]]:
    """Without those to train or stop by that are near duplicates of measured ones: they would flatter the figures."""
    measured = {one.group for one in items if one.part == "test"}
    doubles = [one for one in items if one.part != "test" and one.group in measured]
    kept = [one for one in items if one.part == "test" or one.group not in measured]
    return kept, [Skipped(one.path.name, "a near duplicate of a picture to measure with") for one in doubles]


def _set_apart(items: Sequence[Labelled], part: Role, share: float, seed: int) -> list[Labelled]:
    """A share of each label's training pictures as another part, group by group in an order that the seed says."""
    training = [one for one in items if one.part == "train"]
    wanted = {label: round(share * count) for label, count in Counter(one.label for one in training).items()}
    order = sorted({one.group for one in training}, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    held: set[str] = set()
    for group in order:
        members = [one for one in training if one.group == group]
        if any(wanted[one.label] > 0 for one in members):
            held.add(group)
            for one in members:
                wanted[one.label] -= 1
    return [replace(one, part=part) if one.part == "train" and one.group in held else one for one in items]
