"""Who somebody is for an OpenID Connect provider, and what names there may be here."""

from __future__ import annotations

import re
from typing import NamedTuple

from contracts.config import OidcRole

_NAME = re.compile(r"[^\W_][\w.@+-]{0,63}")


class Identity(NamedTuple):
    """Who came: issuer and sub, what they are called here, and what they may do."""

    subject: str
    name: str
    role: OidcRole


def is_name(name: str) -> bool:
    """Whether an account may be called so."""
    return _NAME.fullmatch(name) is not None
