"""Takes a removed person's name out of an alert's evidence."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from archive.evidence import paths
from archive.evidence.chain import Chain
from contracts import codec
from contracts.messages import Alert


def erase(chain: Chain, alert: Alert, unnamed: Callable[[Alert], Alert]) -> int | None:
    """Write what the alert's folder says as `unnamed` makes it; raises ContractError, OSError.

    Returns which revision the folder is about, None where there is none (yet).

    The snapshot goes where its caption may show the name: the frame as it was sent stays. The chain says that this was
    done, and of what went only its digest.
    """
    place = paths.place_of(alert)
    kept = chain.files.read(place.file(paths.ALERT))
    if kept is None:
        return None
    before = codec.decode(kept, Alert)
    after = unnamed(before)
    files: dict[str, bytes | None] = {}
    decisions = chain.files.read(place.file(paths.DECISIONS))
    told = msgspec.json.decode(decisions, type=list[Alert]) if decisions is not None else []
    all_ = [unnamed(one) for one in told]
    if (all_, after) == (told, before):
        return before.revision
    if decisions is not None:
        files[paths.DECISIONS] = msgspec.json.format(msgspec.json.encode(all_), indent=2)
    if any(one.why != was.why for one, was in zip((after, *all_), (before, *told), strict=True)):
        files[paths.SNAPSHOT] = None
    files[paths.ALERT] = msgspec.json.format(codec.encode(after), indent=2)
    chain.keep(place, files, "a person who was removed is no longer named")
    return before.revision
