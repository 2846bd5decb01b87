"""The broker's processes, ports and folder, without starting one (tests/integration/test_broker.py does)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from vedette import broker
from vedette.broker import Broker, BrokerConfig, BrokerError

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    held = broker._lock(tmp_path)
    with pytest.raises(BrokerError, match=f"in use by process {os.getpid()}"):
        broker._lock(tmp_path)
    held.close()
    broker._lock(tmp_path).close()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(BrokerError, match=f"Port {port} is taken"):
            Broker(BrokerConfig(tmp_path, port=port)).start()
    # The folder is free again.
    broker._lock(tmp_path).close()
    assert broker._check_free(port) == port


def test_the_orphan_of_a_killed_owner_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as orphan:
        created = psutil.Process(orphan.pid).create_time()
        broker._pid_file(tmp_path).write_text(json.dumps({"pid": orphan.pid, "created": created}))
        broker._end_orphan(tmp_path, 5)
        assert not psutil.pid_exists(orphan.pid)
    assert not broker._pid_file(tmp_path).exists()


@pytest.mark.parametrize(
    "content",
    [
        '{"pid": PID, "created": 1.0}',  # the number was given to another process since
        '{"pid": 4194304999, "created": 1.0}',  # no process
        '{"pid": PID}',  # not ours
        "",  # the disk was full
    ],
)
def test_a_process_that_is_not_ours_is_left_alone(tmp_path: Path, content: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        broker._pid_file(tmp_path).write_text(content.replace("PID", str(other.pid)))
        broker._end_orphan(tmp_path, 5)
        assert other.poll() is None
        other.kill()
    assert not broker._pid_file(tmp_path).exists()


def test_what_does_not_end_when_asked_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        began = time.monotonic()
        broker._end(psutil.Process(process.pid), 0.2)
        assert 0.2 <= time.monotonic() - began < 5
        assert not psutil.pid_exists(process.pid)


def test_what_ends_when_asked_is_not_killed() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        child = psutil.Process(process.pid)
        child.send_signal(signal.SIGTERM)
        broker._end(child, 5)
        assert not child.is_running()


def test_settings_keep_to_this_machine_and_a_laptop() -> None:
    text = broker._properties(Path("/data"), BrokerConfig(Path("/s")), broker.Ports(9092, 9093))
    settings = dict(line.split("=", 1) for line in text.splitlines())
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert settings["auto.create.topics.enable"] == "false"
    assert int(settings["message.max.bytes"]) >= 8 * 1024**2
    assert not [key for key, value in settings.items() if key.endswith("replication.factor") and value != "1"]
    command = broker._command(broker.Java(Path("/java"), 17, "PATH"), (Path("/a.jar"),), Path("/s"), 300)
    assert "-Xmx300m" in command
