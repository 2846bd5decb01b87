"""What is refused by the registry."""

from contracts.errors import VedetteError


class RegistryError(VedetteError):
    """A version that isn't there, is another than before, or may not go where it was to go; the text says why."""


class NoVersionError(RegistryError):
    """There is no such version."""
