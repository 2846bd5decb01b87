"""The `vedette` command and the whole system on one machine, with real parts."""

__version__ = "0.1.0"
