"""What can be wrong with a picture of a person."""

from __future__ import annotations

from contracts.errors import VedetteError


class PictureError(VedetteError):
    """The picture can't be opened; the text is for whoever brought it."""
