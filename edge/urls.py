"""Camera addresses: secrets filled in from what the program was given, and taken out of every text that is shown."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from urllib.parse import quote, unquote

from contracts.errors import CameraError

_SECRET = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/:@]*):(?P<password>[^\s/]*)@")
_QUERY = re.compile(r"(?P<key>[?&](?:password|passwd|pwd|pass|token|key|secret|auth)=)[^\s&#]+", re.IGNORECASE)
_BEFORE_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*@")

_lock = threading.Lock()
_filled_in: set[str] = set()
"""Every secret that this process put into an address, as it may stand in a text: logs know nothing else of them."""


def fill_secrets(url: str, secrets: Mapping[str, str]) -> str:
    """Replace every `{NAME}` in `url` by `secrets[NAME]`; raises CameraError with the name of a missing one.

    User and password are percent-encoded, as FFmpeg expects them; elsewhere a secret stands as it is.
    """
    before_host = _BEFORE_HOST.match(url)
    encoded_until = before_host.end() if before_host else 0

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in secrets:
            raise CameraError(f"the secret {name} is not set in the environment")
        _remember(secrets[name])
        return quote(secrets[name], safe="") if match.start() < encoded_until else secrets[name]

    return _SECRET.sub(value, url)


def redact(text: str) -> str:
    """Return `text` with every secret that was filled in, and the password of every address in it, as `***`."""
    with _lock:
        known = sorted(_filled_in, key=len, reverse=True)  # one that is a part of another comes after it
    if known:
        text = re.sub("|".join(map(re.escape, known)), "***", text)
    text = _USER_INFO.sub(r"\g<scheme>\g<user>:***@", text)
    return _QUERY.sub(r"\g<key>***", text)


def _remember(secret: str) -> None:
    with _lock:
        _filled_in.update(form for form in (secret, quote(secret, safe=""), quote(secret), unquote(secret)) if form)
