"""The console as a process of its own, beside a real broker, and somebody signed in to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

CONFIG = """
site: {name: home}
cameras:
  gate: {inputs: [{url: none.mp4}], zones: {yard: {coordinates: [[0, 0], [1, 0], [1, 1]]}}}
  hall: {inputs: [{url: none.mp4}]}
rules:
  intruder: {kind: zone_entry, zone: yard, cameras: [gate]}
"""
PASSWORD = "correct horse battery"
START_S = 120.0
"""On a calm machine it takes four; others may use this one as well."""


class ConsoleProcess:
    """Starts `python -m console` as often as needed on one state folder and one port."""

    def __init__(self, folder: Path, bootstrap: str, config: str = CONFIG) -> None:
        self.state = folder / "console"
        self.config = folder / "site.yaml"
        self.config.write_text(config)
        self._bootstrap = bootstrap
        self._log = folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def start(self) -> None:
        """Start it and wait until it reads alerts."""
        port = self.address.rpartition(":")[2] or "0"
        (self.state / "address").unlink(missing_ok=True)
        command = [sys.executable, "-m", "console", "--config", str(self.config), "--state", str(self.state)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--bootstrap", self._bootstrap, "--port", port], stdout=log, stderr=subprocess.STDOUT
            )
        until_s = time.monotonic() + START_S
        while not self.is_ready():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until_s, self.log
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Whether it serves."""
        file = self.state / "address"
        if not file.exists():
            return False
        self.address = file.read_text()
        try:
            return bool(self.address) and httpx.get(f"{self.address}/readyz", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code, also when it ended before."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    @property
    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text()[-4000:]

    def administrator(self) -> httpx.Client:
        """Use the first link; the client has the cookie, and the token against forged requests."""
        secret = (self.state / "first-link").read_text().rpartition("/")[2]
        assert os.stat(self.state / "first-link").st_mode & 0o077 == 0
        client = httpx.Client(base_url=self.address, timeout=5)
        given = {"secret": secret, "name": "ada", "password": PASSWORD}
        me: dict[str, Any] = client.post("/api/invitations/accept", json=given).raise_for_status().json()
        client.headers["X-CSRF-Token"] = me["csrf"]
        return client
