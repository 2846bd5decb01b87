"""What cameras saw of faces, kept as long as the day's key is, and found again by likeness over all cameras."""

from archive.sightings.search import Found, Query, Search

__all__ = ["Found", "Query", "Search"]
