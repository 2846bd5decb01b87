"""What of COCO's JSON is read here: pictures, names, and boxes."""

from __future__ import annotations

from collections import defaultdict

import msgspec


class Category(msgspec.Struct, frozen=True):
    """A label's name."""

    id: int
    name: str


class Image(msgspec.Struct, frozen=True):
    """A picture; its moment and `complete` (all of it is labelled) are Vedette's own, as its collection writes them."""

    id: int
    file_name: str
    camera: str = ""
    complete: bool = True
    site: str = ""
    captured_at_ms: int = 0


class Annotation(msgspec.Struct, frozen=True):
    """A box: left, top, width and height."""

    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """The box by its corners."""
        x, y, width, height = self.bbox
        return x, y, x + width, y + height


class Coco(msgspec.Struct, frozen=True):
    """One file of annotations; msgspec.json decodes it."""

    images: list[Image]
    categories: list[Category]
    annotations: list[Annotation]

    def names(self) -> dict[int, str]:
        """The labels' names by number."""
        return {one.id: one.name for one in self.categories}

    def by_image(self) -> dict[int, list[Annotation]]:
        """The boxes of single things by picture."""
        found: dict[int, list[Annotation]] = defaultdict(list)
        for one in self.annotations:
            if not one.iscrowd:
                found[one.image_id].append(one)
        return found
