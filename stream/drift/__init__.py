"""Whether cameras still show what they used to. Pure."""

from stream.drift.features import Features
from stream.drift.watch import DriftWatch, PartState, Sample

__all__ = ["DriftWatch", "Features", "PartState", "Sample"]
