"""Label Studio's JSON: a task a picture, boxes as rectangles in hundredths of the picture's sides.

https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from archive.collection.gather import within
from archive.collection.items import Box, Item
from archive.collection.labelling import Drawn, FormatError, labels_of, name_of, shown
from contracts.decoding import from_json

FROM, TO = "label", "image"
LOCAL = "/data/local-files/?d="
"""Where Label Studio serves pictures of a local storage; an upload puts eight characters and a `-` before the name."""


class _Value(msgspec.Struct):
    x: float
    y: float
    width: float
    height: float
    rectanglelabels: list[str]


class _Result(msgspec.Struct):
    original_width: int
    original_height: int
    value: _Value
    type: str = ""


class _User(msgspec.Struct):
    email: str = ""


class _Annotation(msgspec.Struct):
    result: list[msgspec.Raw]
    completed_by: _User | int | None = None
    was_cancelled: bool = False


class _Data(msgspec.Struct):
    image: str


class _Task(msgspec.Struct):
    data: _Data
    annotations: list[_Annotation] = []


class _Type(msgspec.Struct):
    type: str = ""


def to_label_studio(items: Sequence[Item], root: str) -> bytes:
    """Tasks to import; `root` is the pictures' folder below Label Studio's local storage. Boxes are predictions."""
    tasks = [
        {
            "data": {"image": f"{LOCAL}{root}/{name_of(item)}", "camera": item.camera, "reasons": list(item.reasons)},
            "predictions": [{"model_version": item.model, "result": [_region(item, box) for box in shown(item)]}],
        }
        for item in items
    ]
    return msgspec.json.format(msgspec.json.encode(tasks), indent=1)


def interface(items: Sequence[Item], labels: Sequence[str] = ()) -> str:
    """The labelling interface's XML for these items."""
    names = "".join(f'<Label value="{label}"/>' for label in labels_of(items, labels))
    return (
        f'<View><Image name="{TO}" value="$image"/>'
        f'<RectangleLabels name="{FROM}" toName="{TO}">{names}</RectangleLabels></View>'
    )


def from_label_studio(data: bytes, by: str) -> list[Drawn]:
    """What was drawn in an export, the latest annotation of each task; tasks without one are not said. FormatError."""
    try:
        tasks = from_json(data, list[_Task])
        return [drawn for task in tasks if (drawn := _drawn(task, by)) is not None]
    except msgspec.MsgspecError as error:
        raise FormatError(f"not Label Studio's JSON: {error}") from error


def _region(item: Item, box: Box) -> dict[str, Any]:
    x1, y1, x2, y2 = box.xyxy
    across, down = 100 / item.width, 100 / item.height
    return {
        "type": "rectanglelabels",
        "from_name": FROM,
        "to_name": TO,
        "original_width": item.width,
        "original_height": item.height,
        "image_rotation": 0,
        "score": box.confidence,
        "value": {
            "x": x1 * across,
            "y": y1 * down,
            "width": (x2 - x1) * across,
            "height": (y2 - y1) * down,
            "rotation": 0,
            "rectanglelabels": [box.label],
        },
    }


def _drawn(task: _Task, by: str) -> Drawn | None:
    done = [one for one in task.annotations if not one.was_cancelled]
    if not done:
        return None
    who = done[-1].completed_by
    author = who.email if isinstance(who, _User) and who.email else by
    kinds = [(from_json(raw, _Type).type, raw) for raw in done[-1].result]
    regions = [from_json(raw, _Result) for kind, raw in kinds if kind == "rectanglelabels"]
    boxes = tuple(box for region in regions if (box := _box(region, author)) is not None)
    name = task.data.image.rpartition("/")[2].rpartition("=")[2].rpartition("-")[2]
    return Drawn(name, boxes, author)


def _box(region: _Result, by: str) -> Box | None:
    value, across, down = region.value, region.original_width / 100, region.original_height / 100
    corners = (
        value.x * across,
        value.y * down,
        (value.x + value.width) * across,
        (value.y + value.height) * down,
    )
    xyxy = within(corners, region.original_width, region.original_height)
    if xyxy is None or not value.rectanglelabels:
        return None
    return Box(xyxy=xyxy, label=value.rectanglelabels[0], kind="confirmed", by=by)
