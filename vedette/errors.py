"""What the machine lacks to run Vedette, with the way to mend it; and what was decided against."""

from __future__ import annotations

from contracts.errors import VedetteError


class SetupError(VedetteError):
    """Something outside the program is missing or broken; `mend` says what the operator can do."""

    def __init__(self, found: str, mend: str) -> None:
        super().__init__(f"{found}. {mend}" if mend else found)
        self.found = found
        self.mend = mend


class RefusedError(VedetteError):
    """The gate refused a candidate: all went as it should, and once more would go the same way. Exit code 3."""
