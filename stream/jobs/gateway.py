"""Flink's JVM: started while Python still imports what builds the graph, with its last words kept."""

from __future__ import annotations

import logging
import os
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from pyflink.pyflink_gateway_server import (
    construct_flink_classpath,
    construct_hadoop_classpath,
    launch_gateway_server_process,
    prepare_environment_variables,
)

from contracts.errors import VedetteError

log = logging.getLogger("vedette.jvm")

START_S = 120.0
"""A JVM that has not said its port by then never will; a calm machine takes a second."""


CLASSPATH_END = "HADOOP_CLASSPATH"
"""The variable whose value PyFlink puts at the end of the class path, whatever it is."""


class JvmError(VedetteError):
    """Flink's JVM ended, or says nothing."""


class Jvm:
    """PyFlink's own way to a JVM (`pyflink.java_gateway.launch_gateway`), with two differences.

    It goes on with other things until `connect`. And what the JVM writes on stderr is read: PyFlink leaves that to a
    pipe that nobody empties, so that 64 KiB of a native library's warnings would stop everything for ever.
    """

    def __init__(self, connector_jar: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vedette-jvm-")
        self._told = Path(self._folder.name) / "port"
        environment = {
            **os.environ,  # noqa: TID251  the JVM is given what we were given
            "_PYFLINK_CONN_INFO_PATH": str(self._told),
            CLASSPATH_END: str(connector_jar),
        }
        main = ("-c", "org.apache.flink.client.python.PythonGatewayServer", "local")
        self._process: subprocess.Popen[bytes] = launch_gateway_server_process(environment, list(main))
        threading.Thread(target=self._listen, name="jvm-stderr", daemon=True).start()

    def connect(self) -> None:
        """Let PyFlink know where the JVM listens, once it does; raises JvmError."""
        deadline = time.monotonic() + START_S
        while not self._told.is_file() or self._told.stat().st_size < 4:
            if (code := self._process.poll()) is not None:
                raise JvmError(f"Flink's JVM ended with code {code}; what it said is above")
            if time.monotonic() > deadline:
                raise JvmError(f"Flink's JVM did not say its port within {START_S:g} s")
            time.sleep(0.02)
        (port,) = struct.unpack("!I", self._told.read_bytes()[:4])
        os.environ["PYFLINK_GATEWAY_PORT"] = str(port)  # noqa: TID251  where PyFlink looks
        self._folder.cleanup()

    def kill(self) -> None:
        """End it at once: what it listens on is free for the next start."""
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            log.info("%s", line.decode(errors="replace").rstrip())


def classpath(connector_jar: Path) -> str:
    """What `Jvm` will have."""
    environment = {**os.environ, CLASSPATH_END: str(connector_jar)}  # noqa: TID251  as above
    prepare_environment_variables(environment)
    return os.pathsep.join((construct_flink_classpath(environment), construct_hadoop_classpath(environment)))
