"""What is let go between two collectings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archive.collection.expiry import let_go
from archive.collection.items import Sample
from tests.builders import jpeg_of
from tests.collection_tools import Answering, Told, item
from tests.evidence_tools import AT_MS

DAY_MS = 86_400_000


def test_pictures_go_with_their_alert_and_with_their_time(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", "true", grey=10)
    site.alert("b", "false", grey=20)
    jpeg = jpeg_of(np.full((90, 160, 3), 200, np.uint8))
    old = item(site.collection.keep_picture(jpeg), AT_MS, source="sample")
    site.collection.keep_sample(Sample(item=old), jpeg)
    about, _ = site.collector(Told()).collect(AT_MS)
    held = {one.alert: one.sha256 for one in site.collection.load(about.id).items}
    assert let_go(site.collection, site.evidence, 30, AT_MS + 29 * DAY_MS) == 0
    site.delete("b")
    assert let_go(site.collection, site.evidence, 30, AT_MS + 31 * DAY_MS) == 2
    there = {alert: site.collection.picture(name) is not None for alert, name in held.items()}
    assert there == {"a": True, "b": False, "": False}
    assert site.collection.samples() == []


def test_a_picture_that_is_also_a_sample_stays_as_that(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", "false")
    site.collector(Told()).collect(AT_MS)
    (shown,) = site.collection.load().items
    sample = Sample(item=item(shown.sha256, AT_MS, source="sample"))
    site.collection.keep_sample(sample, site.collection.picture(shown.sha256) or b"")
    site.delete("a")
    assert let_go(site.collection, site.evidence, 30, AT_MS + 29 * DAY_MS) == 0
    assert site.collection.picture(shown.sha256) is not None
    assert let_go(site.collection, site.evidence, 30, AT_MS + 31 * DAY_MS) == 1
    assert site.collection.picture(shown.sha256) is None


def test_an_alert_may_have_begun_long_before_its_best_frame(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    site.alert("a", grey=10, started_at_ms=AT_MS - 9 * DAY_MS)
    site.answer("a", verdict="true", started_at_ms=AT_MS - 9 * DAY_MS)
    site.collector(Told()).collect(AT_MS)
    (shown,) = site.collection.load().items
    assert (shown.alert, shown.captured_at_ms) == ("a", AT_MS)
    assert let_go(site.collection, site.evidence, 30, AT_MS) == 0
    assert site.collection.picture(shown.sha256) is not None


def test_a_site_without_a_collection_has_nothing_to_let_go(tmp_path: Path) -> None:
    site = Answering(tmp_path)
    assert let_go(site.collection, site.evidence, 30, AT_MS) == 0
