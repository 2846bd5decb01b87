"""Which checkpoint a start goes on from: the newest that is whole; a torn one is set aside."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyflink.java_gateway import get_gateway

log = logging.getLogger("vedette.jobs")

TORN = "torn-"
"""Before the name of a checkpoint that was set aside; the next one that is torn takes its place."""

Fault = Callable[[Path], str | None]
"""What is wrong with a checkpoint's folder; None where nothing is."""


def newest_checkpoint(state_dir: Path, fault: Fault) -> Path | None:
    """The whole checkpoint that was completed last, by any earlier job.

    One without `_metadata` was never completed. Flink doesn't fsync: a power cut leaves empty or torn files.
    """
    files = (state_dir / "checkpoints").glob("*/chk-*/_metadata")
    newest_first = sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for folder in (path.parent for path in newest_first):
        if (why := fault(folder)) is None:
            return folder
        aside = _set_aside(folder)
        log.error("the checkpoint %s is torn (%s); it is now %s, and the one before is tried", folder, why, aside)
    if newest_first:
        log.error("no checkpoint is whole: the jobs start without state, from the oldest frames that the broker keeps")
    return None


def _set_aside(folder: Path) -> Path:
    for earlier in folder.parent.parent.glob(f"*/{TORN}*"):
        shutil.rmtree(earlier, ignore_errors=True)
    return folder.rename(folder.with_name(TORN + folder.name))


def fault_of(folder: Path) -> str | None:
    """Read a checkpoint with Flink's own reader: its metadata, and that each file it names has its full size."""
    jvm = get_gateway().jvm
    try:
        data = jvm.java.nio.file.Files.readAllBytes(jvm.java.io.File(str(folder / "_metadata")).toPath())
        metadata = metadata_of(jvm.java.io.ByteArrayInputStream(data), folder.as_uri())
        for path, size in _files(metadata):
            found = path.stat().st_size if path.is_file() else None
            if found != size:
                return f"{path.name} has {found} bytes instead of {size}" if found is not None else f"no {path.name}"
    except Py4JError as error:
        return cause_of(error)
    return None


def metadata_of(stream: Any, uri: str) -> Any:
    """What Flink's reader makes of a checkpoint's metadata, which `stream` (Java's) gives; closes it.

    Raises Py4JError.
    """
    jvm = get_gateway().jvm
    loader = jvm.Thread.currentThread().getContextClassLoader()
    try:
        data = jvm.java.io.DataInputStream(stream)
        return jvm.org.apache.flink.runtime.checkpoint.Checkpoints.loadCheckpointMetadata(data, loader, uri)
    finally:
        stream.close()


def cause_of(error: Py4JError) -> str:
    """Java's own word on it."""
    cause = getattr(error, "java_exception", None)
    return str(cause.toString() if cause is not None else error)


def _files(metadata: Any) -> Iterator[tuple[Path, int]]:
    """The files that hold the operators' states, with their sizes; small states stand in the metadata itself."""
    # py4j walks through Java's lists, not through other collections.
    listed = get_gateway().jvm.java.util.ArrayList
    for operator in listed(metadata.getOperatorStates()):
        for subtask in listed(operator.getStates()):
            for handles in (
                subtask.getManagedOperatorState(),
                subtask.getRawOperatorState(),
                subtask.getManagedKeyedState(),
                subtask.getRawKeyedState(),
            ):
                for handle in listed(handles):
                    stream = handle.getDelegateStateHandle()
                    if stream.getClass().getSimpleName() in ("FileStateHandle", "RelativeFileStateHandle"):
                        yield Path(stream.getFilePath().getPath()), stream.getStateSize()
