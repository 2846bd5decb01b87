"""Agents and the console, both as they are: a token lets one in once, its certificate renews itself, and nobody else's.

What somebody could try with a stolen token, a copied request or another's name stands in a table.
"""

from __future__ import annotations

import base64
import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from console.parts import Parts
from console.rights import Who
from console.signer.signing import Signer, SignerError, SignerSocket, serving
from console.wiring import Place, build
from contracts import metrics
from contracts.config import Agents, Config
from contracts.config_file import parse
from contracts.enrolment import ENROL_PATH, RENEW_PATH, Enrol, Renew
from contracts.errors import ConfigError, VedetteError
from contracts.metrics import Metrics
from edge.identity import Ask, Enrolment, EnrolmentError, Identity, console_at
from edge.rotation import Rotation, due_at_ms, pause_s
from tests.api_tools import Browser, Clock, browser, signed_in
from tests.certificates import Authority
from tests.console_process import CONFIG
from vault import AgentKey, Certificate

ADA = Who("ada", "administrator")
SITE, ADDRESS = "home", "10.0.0.7"
HOUR_MS = 3_600_000


@pytest.fixture
def clock() -> Clock:
    """The test's certificates are good today."""
    clock = Clock()
    clock.now_ms = round(dt.datetime.now(dt.UTC).timestamp() * 1000)
    return clock


@pytest.fixture
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def config_of(folder: Path) -> Config:
    """The site with two agents; certificates of six hours."""
    config = parse(CONFIG)
    agents = Agents(
        signer=str(folder / "s"),
        bootstrap_servers=("kafka:9094",),
        broker_ca=str(folder / "ca.crt"),
        certificate_days=0.25,
    )
    return replace(
        config, edge=replace(config.edge, agents=("north", "south")), console=replace(config.console, agents=agents)
    )


@pytest.fixture
def signer(tmp_path: Path, clock: Clock, running: ExitStack) -> Signer:
    """The signer, serving on its socket."""
    authority = Authority(tmp_path)
    (tmp_path / "ca.key").write_bytes(authority.key)
    signer = Signer(config_of(tmp_path), tmp_path / "ca.crt", tmp_path / "ca.key", clock)
    running.enter_context(serving(signer, tmp_path / "s"))
    return signer


@pytest.fixture
def parts(tmp_path: Path, clock: Clock, signer: Signer, database: str) -> Iterator[Parts]:
    """A console beside that signer."""
    parts = build(config_of(tmp_path), Place("127.0.0.1:1", tmp_path / "console", database, "http://testserver"), clock)
    parts.store.open()
    yield parts
    parts.store.close()


@pytest.fixture
def agent(tmp_path: Path) -> Identity:
    return Identity(tmp_path / "agent")


def asks(parts: Parts) -> Ask:
    """The agent's way to the console, without a network."""

    def ask(path: str, body: bytes) -> bytes:
        try:
            if path == ENROL_PATH:
                return msgspec.json.encode(parts.agents.enrol(msgspec.json.decode(body, type=Enrol), ADDRESS))
            return msgspec.json.encode(parts.agents.renew(msgspec.json.decode(body, type=Renew), ADDRESS))
        except VedetteError as error:
            raise EnrolmentError(str(error)) from error

    return ask


def token_for(parts: Parts, name: str = "north") -> str:
    return parts.agents.token(ADA, name, HOUR_MS)


def enrolled(parts: Parts, agent: Identity, name: str = "north") -> Enrolment:
    enrolment = agent.enrol(asks(parts), token_for(parts, name), "https://console", "", SITE, "1.0")
    parts.clock_ms.now_ms += 60_000  # type: ignore[attr-defined]  attempts are limited
    return enrolment


def told(parts: Parts) -> list[tuple[str, str]]:
    """What the audit says of agents, the first first."""
    return [(one.action, one.subject) for one in reversed(parts.store.audit.page()) if "agent" in one.action]


def over_http(client: TestClient, path: str, asked: Enrol | Renew) -> int:
    body = msgspec.json.encode(asked)
    return int(client.post(path, content=body, headers={"content-type": "application/json"}).status_code)


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
    nobody, csr = browser(parts), AgentKey.new().request()
    assert over_http(nobody, ENROL_PATH, Enrol(token=token, site=SITE, csr=csr, version="1.0")) == 200
    north, south = ada.get("/api/agents").json()["agents"]
    assert (north["name"], north["version"], north["expires_at_ms"] > parts.clock_ms()) == ("north", "1.0", True)
    assert (south["name"], south["expires_at_ms"]) == ("south", 0)
    asked = Renew(agent="north", site=SITE, csr=csr, at_ms=0, signature="-")
    assert over_http(nobody, RENEW_PATH, asked) == 200
    assert ada.delete("/api/agents/north").status_code == 204
    assert over_http(nobody, RENEW_PATH, asked) == 403
    guesses = [over_http(nobody, ENROL_PATH, Enrol(token="vda_x", site=SITE, csr=csr)) for _ in range(12)]
    assert (guesses[0], guesses[-1]) == (403, 429)


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


def test_a_certificate_is_renewed_after_half_of_its_life(parts: Parts, clock: Clock, agent: Identity) -> None:
    enrolment, renewals, made = enrolled(parts, agent), [], Metrics(CollectorRegistry())
    rotation = Rotation(
        *(agent, enrolment, asks(parts)), version="1.1", now_ms=clock, renewed=lambda: renewals.append(1), made=made
    )
    first = agent.certificate
    assert 30 < rotation.step(clock.now_ms) <= 600
    assert (agent.certificate.serial, renewals) == (first.serial, [])
    clock.now_ms = round(due_at_ms(first.begins_at_ms, first.expires_at_ms))
    rotation.step(clock.now_ms)
    second = agent.certificate
    assert second.serial != first.serial
    assert second.public != first.public
    assert renewals == [1]
    gauge = made.registry.get_sample_value(metrics.CERTIFICATE_EXPIRES.name)
    assert gauge == second.expires_at_ms / 1000
    assert clock.now_ms < first.begins_at_ms + (first.expires_at_ms - first.begins_at_ms) * 2 / 3
    assert parts.store.agents.all()[0].version == "1.1"
    rotation.step(clock.now_ms)
    assert agent.certificate.serial == second.serial


def test_one_that_gets_no_next_certificate_still_says_when_its_own_ends(
    parts: Parts, clock: Clock, agent: Identity
) -> None:
    def away(path: str, body: bytes) -> bytes:
        raise EnrolmentError("the console is away")

    enrolment, made = enrolled(parts, agent), Metrics(CollectorRegistry())
    rotation = Rotation(agent, enrolment, away, version="1", now_ms=clock, renewed=lambda: None, made=made)
    with pytest.raises(EnrolmentError, match="away"):
        rotation.step(agent.certificate.expires_at_ms - 1)
    assert made.registry.get_sample_value(metrics.CERTIFICATE_EXPIRES.name) == agent.certificate.expires_at_ms / 1000


@pytest.mark.parametrize(("life_s", "pause"), [(10, 0.5), (6 * 3600, 216), (7 * 86_400, 600)])
def test_tries_are_many_within_a_life_and_never_a_flood(life_s: int, pause: float) -> None:
    assert pause_s(0, life_s * 1000) == pause


def test_an_answer_that_was_lost_is_given_again(parts: Parts, clock: Clock, agent: Identity) -> None:
    enrolment = enrolled(parts, agent)

    def lost(path: str, body: bytes) -> bytes:
        asks(parts)(path, body)
        raise EnrolmentError("the connection broke")

    first = agent.certificate
    with pytest.raises(EnrolmentError, match="broke"):
        agent.renew(lost, enrolment, clock.now_ms, "1.0")
    assert agent.certificate.serial == first.serial
    assert agent.renew(asks(parts), enrolment, clock.now_ms, "1.0").serial != first.serial
    assert [action for action, _ in told(parts)].count("renew agent") == 1


def test_a_key_that_a_crash_left_behind_is_not_used_twice(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolment, first = enrolled(parts, agent), agent.certificate
    (tmp_path / "agent" / "waiting.key").write_bytes((tmp_path / "agent" / "agent.pem").read_bytes())
    assert agent.renew(asks(parts), enrolment, clock.now_ms, "1.0").public != first.public


def _stolen(tmp_path: Path, at_ms: int, name: str = "north") -> Renew:
    """Asked by who has a copy of the agent's file."""
    asked = Renew(agent=name, site=SITE, csr=AgentKey.new().request(), at_ms=at_ms, signature="-")
    signature = AgentKey.parse((tmp_path / "agent" / "agent.pem").read_bytes()).sign(asked.proof())
    return replace(asked, signature=base64.b64encode(signature).decode())


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (lambda files, now_ms: replace(_stolen(files, now_ms), signature="!"), "not signed"),
        (lambda files, now_ms: replace(_stolen(files, now_ms), csr=AgentKey.new().request()), "not signed"),
        (lambda files, now_ms: replace(_stolen(files, now_ms), agent="south"), "not signed"),
        (lambda files, now_ms: _stolen(files, now_ms, "south"), "not signed"),
        (lambda files, now_ms: _stolen(files, now_ms, "east"), "needs a new token"),
        (lambda files, now_ms: _stolen(files, now_ms - HOUR_MS), "clock"),
        (lambda files, now_ms: _stolen(files, now_ms + HOUR_MS), "clock"),
        (lambda files, now_ms: replace(_stolen(files, now_ms), site="elsewhere"), "of the site home"),
    ],
    ids=["no signature", "other key", "other agent", "as another", "nobody", "a replay", "ahead", "other site"],
)
def test_who_has_not_the_certificate_in_use_renews_nothing(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path, attack: Callable[[Path, int], Renew], why: str
) -> None:
    enrolled(parts, agent)
    enrolled(parts, Identity(tmp_path / "south"), "south")
    before = parts.store.agents.all()
    with pytest.raises(EnrolmentError, match=why):
        asks(parts)(RENEW_PATH, msgspec.json.encode(attack(tmp_path, clock.now_ms)))
    assert parts.store.agents.all() == before
    assert told(parts)[-1][0] == "refuse agent"


def test_a_certificate_renews_nothing_once_it_is_replaced_ended_or_taken_out(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolment, ask = enrolled(parts, agent), asks(parts)
    of_before = _stolen(tmp_path, clock.now_ms)
    agent.renew(ask, enrolment, clock.now_ms, "1.0")
    with pytest.raises(EnrolmentError, match="not signed"):
        ask(RENEW_PATH, msgspec.json.encode(of_before))
    clock.now_ms = agent.certificate.expires_at_ms
    with pytest.raises(EnrolmentError, match="has ended"):
        agent.renew(ask, enrolment, clock.now_ms, "1.0")
    clock.now_ms -= HOUR_MS
    parts.agents.revoke(ADA, "north")
    with pytest.raises(EnrolmentError, match="needs a new token"):
        agent.renew(ask, enrolment, clock.now_ms, "1.0")


def test_a_copied_request_gives_what_only_the_agent_can_use(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolled(parts, agent)
    asked = msgspec.json.encode(_stolen(tmp_path, clock.now_ms))
    first, again = (msgspec.json.decode(asks(parts)(RENEW_PATH, asked))["certificate"] for _ in range(2))
    assert first == again


def test_two_with_one_key_show_in_the_audit_and_are_taken_out(
    parts: Parts, clock: Clock, agent: Identity, tmp_path: Path
) -> None:
    enrolment, ask = enrolled(parts, agent), asks(parts)
    ask(RENEW_PATH, msgspec.json.encode(_stolen(tmp_path, clock.now_ms)))  # the thief was faster
    with pytest.raises(EnrolmentError, match="not signed"):
        agent.renew(ask, enrolment, clock.now_ms, "1.0")
    assert told(parts)[-2:] == [("renew agent", "north"), ("refuse agent", "north")]
    parts.agents.revoke(ADA, "north")
    enrolled(parts, agent)
    assert [one.revoked_at_ms for one in parts.store.agents.all()] == [0]


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
