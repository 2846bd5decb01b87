"""Lets pictures go between two collectings: what evidence has deleted, and samples that are too old."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from archive.collection.items import Item
from archive.collection.store import Collection
from archive.evidence import paths
from archive.evidence.chain import ChainReader
from archive.evidence.files import Files

DAY_MS = 86_400_000


def let_go(collection: Collection, evidence: Files, keep_days: float, now_ms: int) -> int:
    """Delete what may not be kept any longer of the newest version; returns of how many pictures."""
    samples = collection.samples()
    old = [
        sample
        for sample in samples
        if sample.item.source == "sample" and now_ms - sample.item.captured_at_ms > keep_days * DAY_MS
    ]
    versions = collection.versions()
    items = collection.load(versions[-1].id).items if versions else ()
    chain = ChainReader(evidence)
    days = {site: _days(evidence, site) for site in {item.site for item in items}}
    held = {item.sha256 for item in items if item.source == "alert" and _is_there(chain, item, days[item.site])}
    gone = {item.sha256 for item in items if item.source == "alert"} - held
    gone -= {sample.item.sha256 for sample in samples}  # as a sample it has a time of its own
    gone |= {sample.item.sha256 for sample in old} - held
    for sample in old:
        collection.forget_sample(sample)
    for name in gone:
        collection.forget_picture(name)
    return len(gone)


def _days(evidence: Files, site: str) -> list[dt.date]:
    """The days of which a site has evidence."""
    return [day for name in evidence.folders(site) if (day := paths.day_of(name)) is not None]


def _is_there(chain: ChainReader, item: Item, days: Iterable[dt.date]) -> bool:
    """Whether the alert that the item was last answered for still has its evidence.

    It lies with the day of the alert's start, which may be weeks before its best frame: the days near that come first.
    """
    shot = paths.place(item.site, item.captured_at_ms, item.camera, item.alert)
    for day in sorted(days, key=lambda day: abs(day - shot.day)):
        manifest = chain.manifest(shot._replace(day=day))
        if manifest is not None:
            return manifest.kind == "kept" and paths.FRAME in manifest.files
    return False
