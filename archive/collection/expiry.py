"""Lets pictures go between two collectings: what evidence has deleted, and samples that are too old."""

from __future__ import annotations

from archive.collection.items import Item
from archive.collection.store import Collection
from archive.evidence import paths
from archive.evidence.chain import ChainReader
from archive.evidence.files import Files

DAY_MS = 86_400_000


def let_go(collection: Collection, evidence: Files, keep_days: float, now_ms: int) -> int:
    """Delete what may not be kept any longer of the newest version; returns of how many pictures."""
    old = [
        sample
        for sample in collection.samples()
        if sample.item.source == "sample" and now_ms - sample.item.captured_at_ms > keep_days * DAY_MS
    ]
    versions = collection.versions()
    items = collection.load(versions[-1].id).items if versions else ()
    chain = ChainReader(evidence)
    held = [item for item in items if item.source == "alert" and _is_there(chain, item)]
    gone = {item.sha256 for item in items if item.source == "alert"} | {sample.item.sha256 for sample in old}
    gone -= {item.sha256 for item in held}
    for sample in old:
        collection.forget_sample(sample)
    for name in gone:
        collection.forget_picture(name)
    return len(gone)


def _is_there(chain: ChainReader, item: Item) -> bool:
    """Whether the alert that the item was last answered for still has its evidence; its day is the alert's start's."""
    for days_before in (0, 1):
        place = paths.place(item.site, item.captured_at_ms - days_before * DAY_MS, item.camera, item.alert)
        manifest = chain.manifest(place)
        if manifest is not None:
            return manifest.kind == "kept" and paths.FRAME in manifest.files
    return False
