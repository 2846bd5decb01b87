"""Where the broker is and how it is spoken to, in one line of text that every part is given as its `--bootstrap`.

`host:port`, several with commas, and for TLS the PEM files behind it: `kafka:9093?ca=/tls/ca.crt`, with `certificate`
and `key` where we must say who we are. The line holds no secret: the key is a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from contracts.errors import ConfigError

WHERE = "bootstrap"
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})")
_FILES = ("ca", "certificate", "key")


@dataclass(frozen=True)
class BrokerAddress:
    """The servers, and with TLS the PEM files: whom we trust, and (both or none) who we are."""

    servers: str
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        for server in self.servers.split(","):
            if not is_server(server):
                raise ConfigError(WHERE, f"`{server}` is not host:port")
        if bool(self.certificate) != bool(self.key):
            raise ConfigError(WHERE, "certificate and key belong together")
        if self.key and not self.ca:
            raise ConfigError(WHERE, "certificate and key without a ca: whom to trust is missing")

    def __str__(self) -> str:
        files = {name: value for name in _FILES if (value := getattr(self, name))}
        return f"{self.servers}?{urlencode(files, safe='/')}" if files else self.servers

    @classmethod
    def parse(cls, text: str) -> BrokerAddress:
        """What the text says; raises ConfigError."""
        servers, _, query = text.partition("?")
        files = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        if unknown := [name for name, _ in files if name not in _FILES]:
            raise ConfigError(WHERE, f"`{unknown[0]}` is none of {', '.join(_FILES)}")
        return cls(servers, **dict(files))


def is_server(text: str) -> bool:
    """Whether it is one host:port."""
    found = _SERVER.fullmatch(text)
    return found is not None and 1 <= int(found[1]) <= 65535
