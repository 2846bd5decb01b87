"""A token lets one agent in, once; what somebody could try with one stands in a table."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from console.agents import RefusedError
from console.auth.gate import TooOftenError
from console.auth.limits import network_of
from console.parts import Parts
from console.signer.signing import Signer, SignerError, SignerSocket, serving
from contracts.enrolment import ENROL_PATH, RENEW_PATH, Enrol, Renew
from contracts.errors import ConfigError
from edge.identity import EnrolmentError, Identity, console_at
from tests.agent_tools import ADA, HOUR_MS, SITE, asks, enrolled, over_http, token_for, told
from tests.api_tools import Browser, Clock, browser, signed_in
from vault import AgentKey, Certificate


def test_a_token_lets_one_agent_in_once(parts: Parts, agent: Identity, tmp_path: Path) -> None:
    secret, ask = token_for(parts), asks(parts)
    enrolment = agent.enrol(ask, secret, "https://console", "", SITE, "1.0")
    assert agent.certificate.name == "agent-home.north"
    address = agent.address(enrolment)
    assert (address.servers, Path(address.ca).read_bytes()) == ("kafka:9094", (tmp_path / "ca.crt").read_bytes())
    assert Path(address.key).stat().st_mode & 0o077 == 0
    with pytest.raises(EnrolmentError, match="used already"):
        Identity(tmp_path / "another").enrol(ask, secret, "https://console", "", SITE, "1.0")
    assert told(parts) == [("add agent token", "north"), ("enrol agent", "north"), ("refuse agent", "")]


def test_over_http_an_administrator_makes_tokens_and_takes_agents_out(parts: Parts, ada: Browser) -> None:
    sue = signed_in(parts, ada, "sue", "supervisor")
    assert sue.post("/api/agents/tokens", json={"agent": "north"}).status_code == 403
    assert sue.delete("/api/agents/north").status_code == 403
    assert sue.get("/api/agents").status_code == 403
    assert ada.post("/api/agents/tokens", json={"agent": "west"}).status_code == 404
    assert ada.delete("/api/agents/north").status_code == 404
    token = ada.post("/api/agents/tokens", json={"agent": "north"}).json()["token"]
    assert ada.get("/api/agents").json()["agents"][0]["token_until_ms"] == parts.clock_ms() + HOUR_MS
    nobody, csr = browser(parts), AgentKey.new().request()
    assert over_http(nobody, ENROL_PATH, Enrol(token=token, site=SITE, csr=csr, version="1.0")) == 200
    north, south = ada.get("/api/agents").json()["agents"]
    assert (north["token_until_ms"], south["token_until_ms"], south["named"]) == (0, 0, True)
    assert (north["name"], north["version"], north["expires_at_ms"] > parts.clock_ms()) == ("north", "1.0", True)
    assert (south["name"], south["expires_at_ms"]) == ("south", 0)
    asked = Renew(agent="north", site=SITE, csr=csr, at_ms=0, signature="-")
    assert over_http(nobody, RENEW_PATH, asked) == 200
    assert ada.delete("/api/agents/north").status_code == 204
    assert over_http(nobody, RENEW_PATH, asked) == 403
    guesses = [over_http(nobody, ENROL_PATH, Enrol(token="vda_x", site=SITE, csr=csr)) for _ in range(12)]
    assert (guesses[0], guesses[-1]) == (403, 429)


def test_a_flood_of_made_up_tokens_is_counted_and_fills_no_audit(parts: Parts, clock: Clock, agent: Identity) -> None:
    enrolment, csr = enrolled(parts, agent), AgentKey.new().request()
    before = len(told(parts))
    for second in range(600):
        clock.now_ms += 1000
        for host in range(8):  # of eight networks, each from another address every time
            address = f"2001:db8:0:{host:x}::{second:x}"
            with pytest.raises((RefusedError, TooOftenError)):
                parts.agents.enrol(Enrol(token=f"vda_{second}", site=SITE, csr=csr), address)
    lines = told(parts)[before:]
    assert set(lines) == {("refuse agent", "")}
    assert 8 * 9 <= len(lines) <= 8 * 11, "once a minute of each network"
    refused = parts.registry.get_sample_value("vedette_agents_refused_total", {"asked": "enrol"})
    assert refused is not None
    assert 8 * 100 <= refused <= 8 * 115, "ten tries a minute of each"
    details = [json.loads(one.details) for one in parts.store.audit.page() if one.action == "refuse agent"]
    assert len(lines) + sum(one["untold"] for one in details) == pytest.approx(refused, abs=8 * 10)
    clock.now_ms += 60_000
    stolen = Renew(agent="north", site=SITE, csr=csr, at_ms=clock.now_ms, signature="-")
    with pytest.raises(RefusedError):
        parts.agents.renew(stolen, "2001:db8::1")
    assert told(parts)[-1] == ("refuse agent", enrolment.agent)


def test_a_token_that_nobody_used_can_be_taken_back(parts: Parts, ada: Browser, agent: Identity) -> None:
    secret = token_for(parts)
    assert signed_in(parts, ada, "sue", "supervisor").delete("/api/agents/north/token").status_code == 403
    assert ada.delete("/api/agents/north/token").status_code == 204
    assert ada.delete("/api/agents/north/token").status_code == 404
    assert ada.get("/api/agents").json()["agents"][0]["token_until_ms"] == 0
    with pytest.raises(EnrolmentError, match="used already"):
        agent.enrol(asks(parts), secret, "https://console", "", SITE, "1.0")
    assert ("remove agent token", "north") in told(parts)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_limits_count_networks(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize("version", ["1.0\x1b[2J", "1.0\n", "\x00", "1" * 65], ids=["escape", "line", "nul", "long"])
def test_what_an_agent_says_of_itself_does_nothing_to_who_reads_it(parts: Parts, version: str) -> None:
    nobody, csr = browser(parts), AgentKey.new().request()
    assert over_http(nobody, ENROL_PATH, Enrol(token=token_for(parts), site=SITE, csr=csr, version=version)) == 422
    asked = Renew(agent="north", site=SITE, csr=csr, at_ms=0, signature="-", version=version)
    assert over_http(nobody, RENEW_PATH, asked) == 422
    assert over_http(nobody, RENEW_PATH, replace(asked, agent=version, version="")) == 422
    assert [action for action, _ in told(parts)] == ["add agent token"]


def test_nothing_in_the_database_is_a_token(parts: Parts, tmp_path: Path) -> None:
    secret = token_for(parts)
    parts.store.close()
    for file in (tmp_path / "console").iterdir():
        assert secret.encode() not in file.read_bytes()


Attack = Callable[[Parts, Clock, str], Enrol]


def _with(token: str, site: str = SITE, csr: str = "") -> Enrol:
    return Enrol(token=token, site=site, csr=csr or AgentKey.new().request())


def _too_late(parts: Parts, clock: Clock, token: str) -> Enrol:
    clock.now_ms += HOUR_MS
    return _with(token)


def _after_another(parts: Parts, clock: Clock, token: str) -> Enrol:
    token_for(parts)
    return _with(token)


def _after_its_agent(parts: Parts, clock: Clock, token: str) -> Enrol:
    parts.agents.revoke(ADA, "north")
    return _with(token)


def _with_a_changed_signature(parts: Parts, clock: Clock, token: str) -> Enrol:
    head, *body, end = AgentKey.new().request().strip().splitlines()
    der = bytearray(base64.b64decode("".join(body)))
    der[-1] ^= 1
    return _with(token, csr="\n".join([head, base64.b64encode(der).decode(), end]))


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (lambda parts, clock, token: _with("vda_" + "x" * 43), "used already"),
        (_too_late, "too old"),
        (_after_another, "used already"),
        (_after_its_agent, "used already"),
        (lambda parts, clock, token: _with(token, site="elsewhere"), "of the site home"),
        (_with_a_changed_signature, "not signed by its own key"),
        (lambda parts, clock, token: _with(token, csr="none"), "no certificate request"),
    ],
)
def test_a_token_that_is_not_good_lets_nobody_in(
    parts: Parts, clock: Clock, agent: Identity, attack: Attack, why: str
) -> None:
    enrolled(parts, agent)
    asked = attack(parts, clock, token_for(parts))
    before = parts.store.agents.all()
    with pytest.raises(EnrolmentError, match=why):
        asks(parts)(ENROL_PATH, msgspec.json.encode(asked))
    assert parts.store.agents.all() == before
    assert told(parts)[-1][0] == "refuse agent"


def test_a_token_outlives_a_signer_that_is_away(
    parts: Parts, agent: Identity, running: ExitStack, signer: Signer, tmp_path: Path
) -> None:
    secret, ask = token_for(parts), asks(parts)
    running.close()
    with pytest.raises(EnrolmentError, match="does not answer"):
        agent.enrol(ask, secret, "https://console", "", SITE, "1.0")
    with serving(signer, tmp_path / "s"):
        agent.enrol(ask, secret, "https://console", "", SITE, "1.0")
    assert agent.certificate.name == "agent-home.north"


def test_a_probe_is_answered_by_a_signer_that_is_there(signer: Signer, running: ExitStack, tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "console.signer.alive", str(tmp_path / "s")]
    assert subprocess.run(asked, check=False).returncode == 0
    running.close()
    gone = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (gone.returncode, "does not answer" in gone.stderr) == (1, True)


@pytest.mark.parametrize("name", ["admin", "detect", "agent-home", "north2", "", "north,CN=admin"])
def test_the_signer_signs_for_the_sites_agents_whatever_a_console_asks(
    signer: Signer, tmp_path: Path, name: str
) -> None:
    asked = SignerSocket(tmp_path / "s")
    with pytest.raises(SignerError):
        asked.issue(name, AgentKey.new().request())
    assert Certificate(asked.issue("north", AgentKey.new().request())).name == "agent-home.north"
    assert os.stat(tmp_path / "s").st_mode & 0o007 == 0


@pytest.mark.parametrize(
    "address", ["http://console.example", "ftp://localhost", "console", "http://localhost.example"]
)
def test_a_token_is_sent_over_tls_only(address: str) -> None:
    with pytest.raises(ConfigError, match="https"):
        console_at(address, "")


def test_a_certificate_of_another_key_is_not_taken(parts: Parts, agent: Identity) -> None:
    ask = asks(parts)

    def exchanged(path: str, body: bytes) -> bytes:
        asked = msgspec.json.decode(body, type=Enrol)
        return ask(path, msgspec.json.encode(replace(asked, csr=AgentKey.new().request())))

    with pytest.raises(EnrolmentError, match="not of this agent's key"):
        agent.enrol(exchanged, token_for(parts), "https://console", "", SITE, "1.0")
    assert agent.enrolment is None
