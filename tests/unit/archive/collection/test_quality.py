"""What is said of a camera's labels: agreement, doubts, and what models miss."""

from __future__ import annotations

import pytest

from archive.collection.quality import quality, share
from archive.collection.sampler import REVIEW
from tests.collection_tools import box, item
from tests.evidence_tools import AT_MS

DRAWN = box(100, "confirmed")


@pytest.mark.parametrize(
    ("boxes", "changes", "missed"),
    [
        ((DRAWN, box(102)), {}, (0, 1)),
        ((DRAWN,), {}, (1, 1)),
        ((DRAWN, box(102, confidence=0.2)), {}, (1, 1)),
        ((DRAWN, box(102, label="car")), {}, (1, 1)),
        ((DRAWN, box(10, "confirmed"), box(102)), {}, (1, 2)),
        ((DRAWN,), {"complete": False}, None),
        ((DRAWN,), {"reasons": ("seen unsurely",)}, None),
        ((), {}, None),
    ],
    ids=["seen", "unseen", "unsure", "another label", "one of two", "not labelled", "not drawn at random", "nothing"],
)
def test_what_people_draw_on_random_pictures_is_what_models_miss(boxes, changes, missed) -> None:
    one = item("a", AT_MS, *boxes, **({"complete": True, "reasons": (REVIEW,), "source": "sample"} | changes))
    found = quality([one], None)["gate"].missed
    assert (found and (found.hits, found.all)) == missed


@pytest.mark.parametrize(
    ("boxes", "answer", "agreed"),
    [
        ((box(25, "confirmed"),), "true", (1, 1)),
        ((box(25, "background"), box(26)), "false", (0, 1)),
        ((box(25, "background"), box(90)), "false", (1, 1)),
        ((), "", None),
    ],
    ids=["both see it", "only models see it", "nobody sees it", "nobody was asked"],
)
def test_agreement_is_of_the_answered_places(boxes, answer, agreed) -> None:
    found = quality([item("a", AT_MS, *boxes, answer=answer)], None)["gate"].agreed
    assert (found and (found.hits, found.all)) == agreed


def test_doubts_are_told_by_camera_once_something_was_cleaned() -> None:
    items = [item("a", answer="true"), item("b", answer="true"), item("c", camera="hall")]
    found = quality(items, {"b"})
    assert found["gate"].doubted is not None
    assert found["gate"].doubted[:2] == (1, 2)
    assert found["hall"] == (None, None, None)
    assert quality(items, None)["gate"].doubted is None


@pytest.mark.parametrize(
    ("count", "all_", "low", "high"), [(0, 10, 0.0, 0.278), (3, 12, 0.089, 0.532), (10, 10, 0.722, 1.0)]
)
def test_few_say_little(count: int, all_: int, low: float, high: float) -> None:
    found = share([number < count for number in range(all_)])
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(low, abs=0.001), pytest.approx(high, abs=0.001))
