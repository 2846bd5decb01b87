"""Takes a removed person's name out of an alert's evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from archive.evidence import paths
from contracts import codec
from contracts.messages import Alert


def erase(root: Path, alert: Alert, unnamed: Callable[[str], str]) -> None:
    """Write `alert`, which no longer names them, into its folder; raises ContractError, OSError.

    The snapshot goes where its caption may show the name: the frame as it was sent stays.
    """
    folder = paths.alert_folder(root, alert)
    kept = folder / paths.ALERT
    if not kept.is_file():
        return
    before = codec.decode(kept.read_bytes(), Alert)
    after = msgspec.structs.replace(before, identity=alert.identity, why=unnamed(before.why), trace=alert.trace)
    replace_file(kept, msgspec.json.format(codec.encode(after), indent=2))
    if after.why != before.why:
        (folder / paths.SNAPSHOT).unlink(missing_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` so that a reader finds the old content or the new."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
