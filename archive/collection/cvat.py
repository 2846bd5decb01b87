"""CVAT's format "CVAT for images 1.1": one XML file with a picture's boxes, in pixels.

https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import PurePosixPath

from archive.collection.gather import within
from archive.collection.items import Box, Item
from archive.collection.labelling import Drawn, FormatError, labels_of, name_of, shown


def to_cvat(items: Sequence[Item], labels: Sequence[str] = ()) -> bytes:
    """The annotations file of a task whose pictures have the items' names; boxes carry whose they are."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    ElementTree.SubElement(task, "name").text = "vedette"
    ElementTree.SubElement(task, "size").text = str(len(items))
    names = ElementTree.SubElement(task, "labels")
    for label in labels_of(items, labels):
        ElementTree.SubElement(ElementTree.SubElement(names, "label"), "name").text = label
    for number, item in enumerate(items):
        image = {"id": number, "name": name_of(item), "width": item.width, "height": item.height}
        element = ElementTree.SubElement(root, "image", {key: str(value) for key, value in image.items()})
        for box in shown(item):
            _box(element, box)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def from_cvat(data: bytes, by: str) -> list[Drawn]:
    """What was drawn in an exported file; boxes are cut at the picture's edges. Raises FormatError."""
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - entities can't be expanded by expat >= 2.4.1
        return [_drawn(image, by) for image in root.iter("image")]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise FormatError(f"not CVAT for images 1.1: {error}") from error


def _box(image: ElementTree.Element, box: Box) -> None:
    x1, y1, x2, y2 = (f"{value:.2f}" for value in box.xyxy)
    source = "manual" if box.kind == "confirmed" else "auto"
    corners = {"xtl": x1, "ytl": y1, "xbr": x2, "ybr": y2}
    ElementTree.SubElement(image, "box", {"label": box.label, "source": source, "occluded": "0", **corners})


def _drawn(image: ElementTree.Element, by: str) -> Drawn:
    width, height = int(image.attrib["width"]), int(image.attrib["height"])
    boxes = []
    for one in image.iter("box"):
        x1, y1, x2, y2 = (float(one.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        xyxy = within((x1, y1, x2, y2), width, height)
        if xyxy is not None:
            boxes.append(Box(xyxy=xyxy, label=one.attrib["label"], kind="confirmed", by=by))
    return Drawn(PurePosixPath(image.attrib["name"]).name, tuple(boxes), by)
