"""The thread of the evidence process that keeps sightings where a key is there: cameras may identify people later."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from archive.process import Process, now_ms
from archive.sightings.copies import copies_of
from archive.sightings.folder import SightingsFolder
from archive.sightings.keeper import Keeper
from contracts.face_models import identifying
from vault import DayKeys, MasterKey

log = logging.getLogger(__name__)

AGAIN_S = 10.0


def sightings_root(state: Path) -> Path:
    """The folder of sightings in the archive's state folder."""
    return state / "sightings"


def begin_keeping(process: Process, master: MasterKey | None) -> threading.Thread | None:
    """The thread, begun; it ends with the process's `stop`. None without a master key: then nobody is identified."""
    if master is None:
        if identifying(process.config):
            log.error("cameras identify people, and the environment has no master key: no sighting is kept")
        return None
    keys, root = DayKeys(process.config.site.name), sightings_root(process.state)
    keeper = Keeper(
        process.bootstrap,
        SightingsFolder(root, keys),
        keys,
        master,
        faces=process.config.faces,
        clock=now_ms,
        stop=process.stop,
        copies=copies_of(process.config, root),
    )
    thread = threading.Thread(target=_keep, args=(keeper, process.stop), name="sightings", daemon=True)
    thread.start()
    return thread


def _keep(keeper: Keeper, stop: threading.Event) -> None:
    """A disk that is full is tried again: what was not written has not been committed, and comes again."""
    while not stop.is_set():
        try:
            keeper.run()
        except Exception:
            log.exception("keeping sightings failed; again in %g s", AGAIN_S)
            stop.wait(AGAIN_S)
