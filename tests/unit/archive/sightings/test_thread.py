"""When sightings are kept: wherever somebody could be identified, also by a camera that is switched on later."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import CollectorRegistry

from archive.process import Process
from archive.sightings.thread import begin_keeping
from contracts.config_file import parse
from contracts.metrics import Metrics
from vault import MasterKey, new_key

NOBODY = "{gate: {inputs: [{url: gate.mp4}]}}"
SOMEBODY = "{gate: {inputs: [{url: gate.mp4}], faces: {identify: true, purpose: watch-list}}}"


@pytest.mark.parametrize(
    ("cameras", "key", "kept", "said"),
    [(SOMEBODY, True, True, 0), (NOBODY, True, True, 0), (SOMEBODY, False, False, 1), (NOBODY, False, False, 0)],
    ids=["identifies", "may identify later", "has no key", "never identifies"],
)
def test_sightings_are_kept_where_there_is_a_key(cameras, key, kept, said, tmp_path, caplog):
    config = parse(f"site: {{name: home}}\ncameras: {cameras}\n")
    stop = threading.Event()
    stop.set()
    process = Process(config, tmp_path, "127.0.0.1:1", tmp_path, Metrics(CollectorRegistry()), stop)
    thread = begin_keeping(process, MasterKey(new_key()) if key else None)
    if thread is not None:
        thread.join(10)
    assert (thread is not None, sum("no master key" in one.message for one in caplog.records)) == (kept, said)
