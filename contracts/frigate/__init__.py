"""Frigate's config file in Vedette's words: `convert` gives the config, and says what could not be taken over."""

from contracts.frigate.convert import Import, convert, is_frigate
from contracts.frigate.ledger import Note, leaves

__all__ = ["Import", "Note", "convert", "is_frigate", "leaves"]
