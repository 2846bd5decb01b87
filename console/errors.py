"""Errors that more than one part of the console has."""

from __future__ import annotations

from contracts.errors import VedetteError


class BusyError(VedetteError):
    """Others are being served; it can be asked again in a moment."""
