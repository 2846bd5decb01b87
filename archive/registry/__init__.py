"""The registry of models: signed versions, what was decided about them, and what is in service where.

`<name>/<version>/manifest.json` is written last, so a version is there whole or not at all. `_log/<number>.json` are
the decisions, each created once and never changed: what is in service is what they lead to (`log.py`).
"""

from archive.registry.errors import NoVersionError, RegistryError
from archive.registry.log import EVERYWHERE, Candidate, Decision, Standing, standing
from archive.registry.registry import Registry, Version, registry_of
from archive.registry.signing import KEY_FILE, check_signature, signed, trusted_keys
from archive.registry.telling import Held, held, learn, missing, take

__all__ = [
    "EVERYWHERE",
    "KEY_FILE",
    "Candidate",
    "Decision",
    "Held",
    "NoVersionError",
    "Registry",
    "RegistryError",
    "Standing",
    "Version",
    "check_signature",
    "held",
    "learn",
    "missing",
    "registry_of",
    "signed",
    "standing",
    "take",
    "trusted_keys",
]
