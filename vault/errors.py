"""What can go wrong with keys."""

from __future__ import annotations

from contracts.errors import VedetteError


class VaultError(VedetteError):
    """A key is missing or no key, or something sealed was changed or is of another key."""
