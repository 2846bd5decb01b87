"""A version as COCO's JSON, for other tools: places that are background stand with the picture, not as objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from archive.collection.items import Box, Item

Json = dict[str, Any]


def coco(items: Sequence[Item], file_name: Callable[[Item], str] = lambda item: item.path) -> bytes:
    """The annotations; a picture's file is relative to the collection, unless it is somewhere else by now.

    More fields than COCO's say where each comes from.
    """
    labels = sorted({box.label for item in items for box in item.boxes})
    numbers = {label: number for number, label in enumerate(labels, 1)}
    annotations: list[Json] = []
    for image, item in enumerate(items, 1):
        for box in item.learnt:
            if box.kind != "background":
                annotations.append(_annotation(len(annotations) + 1, image, numbers[box.label], box))
    made = {
        "info": {"description": "Vedette collection"},
        "images": [_image(number, item, file_name(item)) for number, item in enumerate(items, 1)],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
        "annotations": annotations,
    }
    return msgspec.json.format(msgspec.json.encode(made), indent=1)


def _image(number: int, item: Item, file_name: str) -> Json:
    return {
        "id": number,
        "file_name": file_name,
        "width": item.width,
        "height": item.height,
        "camera": item.camera,
        "site": item.site,
        "captured_at_ms": item.captured_at_ms,
        "source": item.source,
        "model": item.model,
        "rule": item.rule,
        "answer": item.answer,
        "answered_by": item.answered_by,
        "complete": item.complete,
        "background": [
            {"bbox": xywh(box), "label": box.label, "by": box.by} for box in item.boxes if box.kind == "background"
        ],
    }


def _annotation(number: int, image: int, category: int, box: Box) -> Json:
    x, y, width, height = xywh(box)
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [x, y, width, height],
        "area": width * height,
        "iscrowd": 0,
        "kind": box.kind,
        "confidence": box.confidence,
        "by": box.by,
    }


def xywh(box: Box) -> tuple[float, float, float, float]:
    """Left, top, width and height."""
    x1, y1, x2, y2 = box.xyxy
    return x1, y1, x2 - x1, y2 - y1
