"""What a cluster without high availability goes on from: the newest whole checkpoint or savepoint in its own folders.

Kubernetes' operator and its high availability know it themselves. Elsewhere a job manager that is started again knows
nothing, and Flink's own answer would be ZooKeeper. One application has the folders for itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from py4j.protocol import Py4JError
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from stream.jobs.checkpoints import cause_of, metadata_of

log = logging.getLogger("vedette.jobs")

GIVEN = "execution.state-recovery.path"
CHECKPOINTS, SAVEPOINTS = "execution.checkpointing.dir", "execution.checkpointing.savepoint-dir"


class Kept(NamedTuple):
    """A checkpoint or savepoint that was completed at `written_at_ms`."""

    uri: str
    written_at_ms: int
    savepoint: bool = False


def newest(kept: Iterable[Kept], fault: Callable[[str], str | None]) -> Kept | None:
    """The one that was completed last of those that `fault` finds nothing wrong with."""
    for one in sorted(kept, key=lambda one: one.written_at_ms, reverse=True):
        if (why := fault(one.uri)) is None:
            return one
        log.error("%s can't be read (%s); the one before is tried", one.uri, why)
    return None


def go_on(env: StreamExecutionEnvironment) -> None:
    """Have the job that is executed next begin from it; a savepoint that was given counts as one among the others."""
    settings = dict(env._j_stream_execution_environment.getConfiguration().toMap())
    found = newest(_kept(settings), fault_of)
    if found is None:
        log.info("no whole state was kept: the jobs start from the oldest records that the broker has")
        return
    log.info("goes on from %s", found.uri)
    begin = Configuration()
    begin.set_string(GIVEN, found.uri)
    # A checkpoint is ours: Flink deletes it once newer ones replace it. A savepoint is whoever's made it.
    begin.set_string("execution.state-recovery.claim-mode", "NO_CLAIM" if found.savepoint else "CLAIM")
    begin.set_string("execution.state-recovery.ignore-unclaimed-state", "true")
    env.configure(begin)


def fault_of(uri: str) -> str | None:
    """What Flink's own reader finds wrong with a checkpoint's metadata; None where nothing is."""
    try:
        metadata_of(_files(uri).open(_path(uri, "_metadata")), uri)
    except Py4JError as error:
        return cause_of(error)
    return None


def _kept(settings: dict[str, str]) -> Iterator[Kept]:
    """All that was completed: `CHECKPOINTS/JOB/chk-N`, `SAVEPOINTS/savepoint-...`, and what was given."""
    if CHECKPOINTS in settings:
        for job in _folders(settings[CHECKPOINTS]):
            yield from _completed(uri for uri in _folders(job) if "/chk-" in uri)
    if SAVEPOINTS in settings:
        yield from _completed(_folders(settings[SAVEPOINTS]), savepoint=True)
    if given := settings.get(GIVEN):
        yield from _completed([given], savepoint="/chk-" not in given)


def _completed(uris: Iterable[str], *, savepoint: bool = False) -> Iterator[Kept]:
    """Those that have their metadata, which is written last."""
    for uri in uris:
        files, metadata = _files(uri), _path(uri, "_metadata")
        if files.exists(metadata):
            yield Kept(uri, files.getFileStatus(metadata).getModificationTime(), savepoint)


def _folders(uri: str) -> list[str]:
    files, path = _files(uri), _path(uri)
    if not files.exists(path):
        return []
    return [one.getPath().toUri().toString() for one in files.listStatus(path) or () if one.isDir()]


def _files(uri: str) -> Any:
    """Flink's file system of a folder: a disk, a bucket."""
    return _path(uri).getFileSystem()


def _path(uri: str, *inside: str) -> Any:
    return get_gateway().jvm.org.apache.flink.core.fs.Path("/".join((uri.rstrip("/"), *inside)))
