"""A console with its signer beside a secured broker, and an agent that enrols there, on this machine."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from console.parts import Parts
from console.rights import Who
from console.signer.signing import Signer, serving
from console.wiring import Place, api, build
from contracts.broker import BrokerAddress
from contracts.config_file import load
from edge.identity import FOLDER, Enrolment, Identity
from tests.secure_broker import SecureBroker

ADA = Who("ada", "administrator")
AGENT = "north"
LIFE_S = 16
"""Of a certificate: it is renewed after 8 s."""


class EnrolmentSite:
    """`config` is the agent's and the console's; `parts` is the console."""

    def __init__(self, folder: Path, parts: Parts, url: str) -> None:
        self.config, self.state, self.parts = folder / "site.yaml", folder / "agent", parts
        self.identity, self._url = Identity(self.state / FOLDER), url

    def enrol(self) -> Enrolment:
        """`python -m edge.enrol` with a fresh token."""
        token = self.config.with_name("token")
        token.write_text(self.parts.agents.token(ADA, AGENT, 60_000))
        command = [sys.executable, "-m", "edge.enrol", f"--config={self.config}", f"--state={self.state}"]
        said = subprocess.run(
            [*command, f"--console={self._url}", f"--token-file={token}"], capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr
        enrolment = self.identity.enrolment
        assert enrolment is not None
        return enrolment


@contextmanager
def enrolment_site(folder: Path, broker: SecureBroker, config: Mapping[str, Any]) -> Iterator[EnrolmentSite]:
    """Serve the console's API and its signer; `config` is the site's, but for broker and agents."""
    address = BrokerAddress.parse(broker.address("console"))
    authority, key = Path(address.ca), folder / "ca.key"
    key.write_bytes(broker.authority.key)
    agents = {"signer": str(folder / "s"), "certificate_days": LIFE_S / 86_400}
    tls = {"ca": address.ca, "certificate": address.certificate, "key": address.key}
    whole = {
        **config,
        "edge": {"agents": [AGENT], "metrics_port": 0},
        "kafka": {"bootstrap_servers": address.servers.split(","), "tls": tls},
        "console": {"agents": agents},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(whole))
    site = load(folder / "site.yaml")
    parts = build(site, Place(str(address), folder / "c", f"sqlite:///{folder}/c.db", "http://127.0.0.1"), _now_ms)
    parts.store.open()
    server = uvicorn.Server(uvicorn.Config(api(parts), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    with serving(Signer(site, authority, key, _now_ms), folder / "s"):
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield EnrolmentSite(folder, parts, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
        server.should_exit = True
        thread.join(5)
        parts.store.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
