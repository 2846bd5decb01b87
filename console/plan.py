"""The plan of the site, on which the map shows the cameras: a picture that a supervisor puts there."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from console.rights import Who
from console.store.store import Store
from contracts.errors import VedetteError

FILE = "plan.jpg"
MOST_PX = 2400
MOST_PIXELS = 40_000_000
"""A picture of a few kilobytes may claim to be larger than the memory."""


class PlanError(VedetteError):
    """What was given is no picture."""


class Plan:
    """One picture in a folder; changes are in the audit."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._file = folder / FILE
        self._store = store

    def read(self) -> bytes | None:
        """The JPEG, None where there is none."""
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, who: Who, data: bytes, now_ms: int) -> None:
        """Put another one there, made anew from its pixels; raises PlanError."""
        who.need("configure")
        try:
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise PlanError(f"{opened.width} x {opened.height} pixels are too many")
                picture = opened.convert("RGB")
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
            raise PlanError("the plan must be a JPEG, PNG or WebP picture") from error
        picture.thumbnail((MOST_PX, MOST_PX))
        made = io.BytesIO()
        picture.save(made, "JPEG", quality=88)
        self._store.audit.record(at_ms=now_ms, who=who.name, action="plan.replace", subject="site plan")
        temporary = self._file.with_suffix(".tmp")
        temporary.write_bytes(made.getvalue())
        temporary.replace(self._file)

    def remove(self, who: Who, now_ms: int) -> None:
        """Take it away: the map is a plain grid again."""
        who.need("configure")
        self._store.audit.record(at_ms=now_ms, who=who.name, action="plan.remove", subject="site plan")
        self._file.unlink(missing_ok=True)
