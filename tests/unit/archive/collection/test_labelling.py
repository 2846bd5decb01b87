"""What goes to a labelling tool comes back as it was, and what a tool writes is read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence

import msgspec
import pytest

from archive.collection.cvat import from_cvat, to_cvat
from archive.collection.items import Item
from archive.collection.label_studio import from_label_studio, interface, to_label_studio
from archive.collection.labelling import Drawn, FormatError, shown
from tests.collection_tools import box, item
from tests.evidence_tools import AT_MS

ITEMS = [
    item("a" * 64, AT_MS, box(10.25, "confirmed"), box(100, label="dog"), box(60, "background")),
    item("b" * 64, AT_MS + 1),
]


def annotated(tasks: bytes) -> bytes:
    """What Label Studio exports when a person submits the predictions as they are."""
    made = msgspec.json.decode(tasks)
    for task in made:
        result = task.pop("predictions")[0]["result"]
        task["annotations"] = [{"result": result, "completed_by": {"email": "bea@example.net"}, "was_cancelled": False}]
    return msgspec.json.encode(made)


@pytest.mark.parametrize(
    "round_trip",
    [
        lambda items: from_cvat(to_cvat(items), "bea@example.net"),
        lambda items: from_label_studio(annotated(to_label_studio(items, "vedette")), ""),
    ],
    ids=["cvat", "label studio"],
)
def test_boxes_come_back_as_they_went(round_trip: Callable[[Sequence[Item]], list[Drawn]]) -> None:
    first, second = round_trip(ITEMS)
    assert (first.name, second.name, second.boxes) == (f"{'a' * 64}.jpg", f"{'b' * 64}.jpg", ())
    assert [(one.label, one.kind, one.by) for one in first.boxes] == [
        ("person", "confirmed", "bea@example.net"),
        ("dog", "confirmed", "bea@example.net"),
    ]
    for ours, other in zip(first.boxes, shown(ITEMS[0]), strict=True):
        assert ours.xyxy == pytest.approx(other.xyxy, abs=0.01)


def test_a_task_that_nobody_did_says_nothing() -> None:
    assert from_label_studio(to_label_studio(ITEMS, "vedette"), "") == []


@pytest.mark.parametrize("read", [from_cvat, from_label_studio])
@pytest.mark.parametrize("data", [b"", b"[{}]", b"<annotations><image name='x'/></annotations>", b"<a"])
def test_another_file_is_refused(read: Callable[[bytes, str], list[Drawn]], data: bytes) -> None:
    if read is from_cvat and data.startswith(b"["):
        data = b"{}"
    with pytest.raises(FormatError):
        read(data, "")


def test_the_interface_names_all_labels() -> None:
    view = ElementTree.fromstring(interface(ITEMS, ["bag"]))
    assert [one.attrib["value"] for one in view.iter("Label")] == ["bag", "dog", "person"]
