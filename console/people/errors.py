"""What can be wrong with a request about people."""

from __future__ import annotations

from archive.people import Refusal
from contracts.errors import VedetteError


class PeopleOffError(VedetteError):
    """There is no master key, so nobody can be enrolled; the text says how to make one."""


class NobodyError(VedetteError):
    """There is no such person, picture, denial or pseudonym, or none for whoever asks."""


class RefusedPictureError(VedetteError):
    """This picture can't be enrolled."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal
