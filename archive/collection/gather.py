"""From the evidence of answered alerts to items of a data set, and what can't be one, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import msgspec
import numpy as np

from archive.collection.attributes import asked
from archive.collection.items import Box, Item, Kind, Sample, digest
from archive.evidence import paths
from archive.evidence.answers import Answered, MissedBox, answered
from archive.evidence.chain import ChainReader, Entry
from archive.evidence.files import Files
from archive.evidence.paths import Place
from archive.evidence.writer import Seen
from contracts.codec import decode
from contracts.decoding import from_json
from contracts.fields import Xyxy
from contracts.messages import Alert


class Spoken(NamedTuple):
    """What an answer says of an alert's tracks, as long as their camera can have shown them."""

    site: str
    camera: str
    tracks: frozenset[int]
    from_ms: int
    until_ms: int
    kind: Kind
    by: str
    at_ms: int
    alert: str
    attributes: tuple[str, ...]

    def of(self, sample: Sample) -> list[Box]:
        """The sample's boxes that the answer is about, as it says."""
        item = sample.item
        if (item.site, item.camera) != (self.site, self.camera) or not (
            self.from_ms <= item.captured_at_ms <= self.until_ms
        ):
            return []
        about = [box for track, box in sorted(sample.tracks.items()) if track in self.tracks]
        said = {"kind": self.kind, "by": self.by, "at_ms": self.at_ms, "alert": self.alert}
        return [msgspec.structs.replace(box, confidence=1.0, attributes=self.attributes, **said) for box in about]


class Gathered(NamedTuple):
    """An item with its JPEG, and what the answer says of other frames."""

    item: Item
    jpeg: bytes
    spoken: Spoken


class Left(NamedTuple):
    """An alert that gives no item, and why."""

    alert: str
    reason: str


AROUND_MS = 600_000
"""A track is seen so long before and after its alert at most: ids may be given anew when a camera's agent starts."""
MISSED = "missed"
KINDS: dict[str, Kind] = {"true": "confirmed", "nuisance": "confirmed", "false": "background"}
"""What a verdict says of the box that the alert was about: a nuisance is there, but nobody wants to hear of it."""


def gather(files: Files, must_be_hidden: Callable[[str], bool]) -> Iterator[Gathered | Left]:
    """All alerts that an operator judged, and pictures in which one found something missing.

    Cameras that `must_be_hidden` give only pictures that were made unreadable.

    What retention has deleted, or what was changed since it was written, is not given.
    """
    chain = ChainReader(files)
    for place, manifest in _kept(chain):
        said = answered(chain, place, manifest)
        if said.verdict is None and not said.missed:
            continue
        yield _gathered(chain, place, manifest, said, must_be_hidden(place.camera))


def _kept(chain: ChainReader) -> Iterator[tuple[Place, Entry]]:
    files = chain.files
    for site in files.folders(""):
        for day in (name for name in files.folders(site) if paths.day_of(name)):
            parsed = (paths.parsed(path) for path in files.paths(f"{site}/{day}"))
            for place in sorted({found[0] for found in parsed if found is not None}):
                manifest = chain.manifest(place)
                if manifest is not None and manifest.kind == "kept":
                    yield place, manifest


def _gathered(chain: ChainReader, place: Place, manifest: Entry, said: Answered, hidden: bool) -> Gathered | Left:
    data, jpeg = chain.read(place, paths.SEEN, manifest), chain.read(place, paths.FRAME, manifest)
    if data is None or jpeg is None:
        return Left(place.alert, "its frame was gone")
    try:
        seen = from_json(data, Seen)
    except msgspec.MsgspecError:
        return Left(place.alert, "what was seen can't be read")
    if hidden and digest(jpeg) == seen.sha256:
        return Left(place.alert, "from before its camera anonymised")
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return Left(place.alert, "no picture that can be decoded")
    missed = [one for one in said.missed.values() if one.captured_at_ms == seen.evidence.captured_at_ms]
    if said.verdict is None and not missed:
        return Left(place.alert, "a better frame than the one with what was missed")
    told = chain.read(place, paths.ALERT, manifest)
    alert = decode(told, Alert) if told is not None else None
    attributes = asked(alert) if alert is not None else ()
    item = _item(place, seen, said, missed, attributes, jpeg, picture.shape[1], picture.shape[0])
    return Gathered(item, jpeg, _spoken(alert, attributes, item))


def _spoken(alert: Alert | None, attributes: tuple[str, ...], item: Item) -> Spoken:
    judged = alert is not None and not alert.late and item.answer in KINDS
    tracks = frozenset(alert.track_ids if alert is not None and judged else ())
    first_ms, last_ms = (alert.started_at_ms, alert.at_ms) if alert is not None else (0, 0)
    kind = KINDS.get(item.answer, "confirmed")
    return Spoken(
        item.site,
        item.camera,
        tracks,
        first_ms - AROUND_MS,
        last_ms + AROUND_MS,
        kind,
        item.answered_by,
        item.answered_at_ms,
        item.alert,
        attributes,
    )


def _item(
    place: Place,
    seen: Seen,
    said: Answered,
    missed: Sequence[MissedBox],
    attributes: tuple[str, ...],
    jpeg: bytes,
    width: int,
    height: int,
) -> Item:
    boxes = list(_boxes(seen, said, missed, attributes, width, height))
    last = max(missed, key=lambda one: one.at_ms, default=None)
    by, at_ms = said.verdict_by, said.verdict_at_ms
    if last is not None and last.at_ms > at_ms:
        by, at_ms = last.by, last.at_ms
    answer = said.verdict or MISSED
    return Item(
        sha256=digest(jpeg),
        width=width,
        height=height,
        site=seen.site,
        camera=seen.camera,
        captured_at_ms=seen.evidence.captured_at_ms,
        source="alert",
        reasons=tuple(f"answered: {one}" for one in dict.fromkeys((answer, *[MISSED] * bool(missed)))),
        model=seen.model,
        alert=place.alert,
        rule=seen.rule,
        rule_version=seen.rule_version,
        answer=answer,
        answered_by=by,
        answered_at_ms=at_ms,
        identities={person: told.is_person for person, told in said.people.items() if told.is_person is not None},
        boxes=tuple(boxes),
    )


def _boxes(
    seen: Seen, said: Answered, missed: Sequence[MissedBox], attributes: tuple[str, ...], width: int, height: int
) -> Iterator[Box]:
    """What was judged, and what was missed, in the pixels of the JPEG."""
    judged = seen.evidence
    if said.verdict is not None and judged.xyxy is not None and seen.label:
        xyxy = within(scaled(judged.xyxy, width / judged.width, height / judged.height), width, height)
        if xyxy is not None:
            yield Box(
                xyxy=xyxy,
                label=seen.label,
                kind=KINDS[said.verdict],
                by=said.verdict_by,
                alert=seen.alert,
                at_ms=said.verdict_at_ms,
                attributes=attributes,
            )
    for one in missed:
        xyxy = within(scaled(one.xyxy, width / one.width, height / one.height), width, height)
        if xyxy is not None:
            yield Box(xyxy=xyxy, label=one.label, kind="confirmed", by=one.by)


def scaled(xyxy: Xyxy, across: float, down: float) -> Xyxy:
    """A box of the camera's picture in the pixels of its JPEG."""
    return xyxy[0] * across, xyxy[1] * down, xyxy[2] * across, xyxy[3] * down


def within(xyxy: Xyxy, width: int, height: int) -> Xyxy | None:
    """The box cut at the picture's edges; None where nothing of it is left."""
    x1, y1, x2, y2 = (
        round(min(max(value, 0.0), float(most)), 2) for value, most in zip(xyxy, (width, height) * 2, strict=True)
    )
    return (x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None
