"""How often somebody may ask: buckets that fill up again, one a name or address."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict

MAX_KNOWN = 10_000
"""Buckets kept: whoever was silent longest is forgotten, and has a full one again."""


def network_of(address: str) -> str:
    """Whose an address is, as limits count it: the /64 of IPv6, all of which one customer has; else what it is."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


class Limit:
    """`burst` at once and `per_s` on average, for each key."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str, now_ms: int) -> float:
        """Take one; returns 0, or how long to wait when there is none left."""
        with self._lock:
            left, at_ms = self._buckets.pop(key, (self._burst, now_ms))
            left = min(self._burst, left + max(0, now_ms - at_ms) / 1000 * self._per_s)
            allowed = left >= 1
            self._buckets[key] = (left - 1 if allowed else left, now_ms)
            while len(self._buckets) > MAX_KNOWN:
                self._buckets.popitem(last=False)
            return 0.0 if allowed else (1 - left) / self._per_s
