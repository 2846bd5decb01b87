"""One collecting: answers with their evidence, samples and people's labels become the next version and the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from archive.collection.cleaning import found_before
from archive.collection.doubted import Doubted, doubted_before, standing
from archive.collection.gather import Left, Spoken, gather
from archive.collection.items import AGAIN, About, Box, Item, Labels, Sample
from archive.collection.lease import Still
from archive.collection.queue import Wanted, queue
from archive.collection.seeing import SEEN, Sees, decoded
from archive.collection.store import Collection
from archive.evidence.files import Files
from contracts.errors import VedetteError
from contracts.fields import Xyxy

QUEUE = "queue.json"
DAY_MS = 86_400_000


class Collected(NamedTuple):
    """What came of it: the version, and what is worth a label."""

    about: About
    queue: tuple[Wanted, ...]


class Collector:
    """Makes versions of one site's collection. `must_be_hidden` says which cameras anonymise.

    Pictures whose alert is deleted, samples older than `keep_days`, and what a camera that anonymises had shown before,
    are not in the next version, and then nowhere.
    """

    def __init__(
        self,
        collection: Collection,
        evidence: Files,
        sees: Sees,
        must_be_hidden: Callable[[str], bool],
        *,
        keep_days: float,
        queue_most: int,
    ) -> None:
        self._collection = collection
        self._evidence = evidence
        self._sees = sees
        self._must_be_hidden = must_be_hidden
        self._keep_ms = keep_days * DAY_MS
        self._queue_most = queue_most

    def collect(self, now_ms: int, still: Still = lambda: None) -> Collected:
        """Make the next version; done again after a kill it ends the same. `still` raises where another collects."""
        left: Counter[str] = Counter()
        spoken: list[Spoken] = []
        held = self._collection.held()
        found = [*self._answered(left, spoken)]
        found += self._sampled(now_ms, left, spoken)
        labels = self._collection.labels()
        before = self._before()
        doubted = doubted_before(self._collection)
        items = [self._finished(item, labels.get(item.sha256), before) for item in merged(found)]
        items = [looked_again(item, doubted) for item in items]
        still()
        about = self._collection.commit(items, now_ms, self._sees.ids, left)
        wanted = queue(items, self._queue_most, self._doubts(items, doubted))
        self._collection.files.write(QUEUE, msgspec.json.format(msgspec.json.encode(wanted), indent=1))
        still()
        self._collection.sweep([item.sha256 for item in items], held)
        return Collected(about, wanted)

    def _answered(self, left: Counter[str], spoken: list[Spoken]) -> Iterable[Item]:
        for one in gather(self._evidence, self._must_be_hidden):
            if isinstance(one, Left):
                left[one.reason] += 1
                continue
            self._collection.keep_picture(one.jpeg)
            spoken.append(one.spoken)
            yield one.item

    def _sampled(self, now_ms: int, left: Counter[str], spoken: Sequence[Spoken]) -> Iterable[Item]:
        for sample in self._collection.samples():
            item = sample.item
            old = item.source == "sample" and now_ms - item.captured_at_ms > self._keep_ms
            shown = item.source == "sample" and not sample.hidden and self._must_be_hidden(item.camera)
            if old or shown or self._collection.picture(item.sha256) is None:
                reason = "too old" if old else "from before its camera anonymised" if shown else "its picture was gone"
                left[reason] += 1
                self._collection.forget_sample(sample)
                continue
            yield told(sample, spoken)

    def _doubts(self, items: Sequence[Item], doubted: Sequence[Doubted]) -> dict[str, dict[str, float]]:
        """Why pictures are in doubt: as cleaning found them, and trainings, until somebody looked again."""
        found, told = found_before(self._collection).doubts, standing(items, doubted)
        again = {item.sha256 for item in items if AGAIN in item.reasons}
        return {name: found.get(name, {}) | told.get(name, {}) for name in (found.keys() | told.keys()) - again}

    def _before(self) -> dict[str, Item]:
        """What the same models have seen already."""
        versions = self._collection.versions()
        if not versions or versions[-1].labellers != self._sees.ids:
            return {}
        return {item.sha256: item for item in self._collection.load(versions[-1].id).items}

    def _finished(self, item: Item, labels: Labels | None, before: dict[str, Item]) -> Item:
        """The item with a person's labels or answers, and with what models see."""
        if labels is not None:
            item = msgspec.structs.replace(
                item, boxes=labels.boxes, complete=True, answered_by=labels.by, answered_at_ms=labels.at_ms
            )
        known = before.get(item.sha256)
        if known is not None:
            seen, agreement = tuple(box for box in known.boxes if box.kind == "pseudo"), known.agreement
        else:
            picture = decoded(self._collection.picture(item.sha256) or b"")
            if picture is None:
                raise VedetteError(f"the picture {item.sha256} was taken away while it was collected")
            sight = self._sees(picture)
            seen, agreement = tuple(box for box in sight.boxes if box.confidence >= SEEN), sight.agreement
        return msgspec.structs.replace(item, boxes=(*item.boxes, *seen), agreement=agreement)


def told(sample: Sample, spoken: Sequence[Spoken]) -> Item:
    """The sample's item with what answers to alerts say of its tracks; of several about one the latest counts."""
    boxes: dict[Xyxy, tuple[int, Box]] = {}
    for one in spoken:
        for box in one.of(sample):
            if box.xyxy not in boxes or boxes[box.xyxy][0] <= one.at_ms:
                boxes[box.xyxy] = (one.at_ms, box)
    return msgspec.structs.replace(sample.item, boxes=tuple(box for _, box in boxes.values()))


def looked_again(item: Item, doubted: Sequence[Doubted]) -> Item:
    """The item; it says so where a person labelled it after a training had doubted what was said of it."""
    if not item.complete or not any(item.sha256 in one.doubts and one.at_ms < item.answered_at_ms for one in doubted):
        return item
    return msgspec.structs.replace(item, reasons=(*item.reasons, AGAIN))


def merged(items: Iterable[Item]) -> list[Item]:
    """One item a picture: of several alerts about the same frame every box stays, the latest answer is told."""
    found: dict[str, Item] = {}
    for item in sorted(items, key=lambda item: (item.answered_at_ms, item.alert)):
        other = found.get(item.sha256)
        if other is not None:
            item = msgspec.structs.replace(
                item,
                boxes=tuple(dict.fromkeys((*other.boxes, *item.boxes))),
                reasons=tuple(dict.fromkeys((*other.reasons, *item.reasons))),
                identities=other.identities | item.identities,
            )
        found[item.sha256] = item
    return list(found.values())
