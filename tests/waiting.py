"""Waiting for what comes true by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from bus.errors import BusError

LOOK_S = 0.05


def wait_until(
    true: Callable[[], object],
    within_s: float = 40.0,
    what: str = "it did not come true",
    *,
    log: Callable[[], str] = str,
    look_s: float = LOOK_S,
) -> None:
    """Look until it is so; a broker that did not answer is asked again. Fails after `within_s`, with `what` and log."""
    until_s = time.monotonic() + within_s
    while True:
        said = ""
        try:
            if true():
                return
        except BusError as error:
            said = f" ({error})"
        assert time.monotonic() < until_s, f"not within {within_s:g} s: {what}{said}\n{log()}".rstrip()
        time.sleep(look_s)
