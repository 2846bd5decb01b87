"""Camera addresses: secrets filled in from what the program was given, and taken out of every text that is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from contracts.errors import CameraError

_SECRET = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/:@]*):(?P<password>[^\s/]*)@")
_QUERY = re.compile(r"(?P<key>[?&](?:password|passwd|pwd|pass|token|key|secret|auth)=)[^\s&#]+", re.IGNORECASE)


def fill_secrets(url: str, secrets: Mapping[str, str]) -> str:
    """Replace every `{NAME}` in `url` by `secrets[NAME]`; raises CameraError with the name of a missing one."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in secrets:
            raise CameraError(f"the secret {name} is not set in the environment")
        return secrets[name]

    return _SECRET.sub(value, url)


def redact(text: str) -> str:
    """Return `text` with the password of every address in it replaced by `***`."""
    text = _USER_INFO.sub(r"\g<scheme>\g<user>:***@", text)
    return _QUERY.sub(r"\g<key>***", text)
