"""The benches of single parts, as rows of the table: vision, edge, tracking and rules."""

from __future__ import annotations

BENCHES = {}
