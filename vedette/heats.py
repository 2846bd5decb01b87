"""Heat maps for a report: as many as come, and why there are no more, as a report is worth having without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key")


class Heats(NamedTuple, Generic[Key]):
    """JPEGs, and why some are lacking, empty where none is."""

    jpegs: Mapping[Key, bytes]
    lacking: str = ""


def heats(made: Iterable[tuple[Key, bytes]]) -> Heats[Key]:
    """Take what a model's explanations give until one fails, whatever with."""
    found: dict[Key, bytes] = {}
    try:
        for key, jpeg in made:
            found[key] = jpeg
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common public base
        return Heats(found, str(error) or type(error).__name__)
    return Heats(found)
