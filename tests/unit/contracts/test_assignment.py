"""Which agent reads which camera, and which frames can be its own."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from contracts.assignment import SESSION_AHEAD_MS, agent_of, agents_of, cameras_of, check_session
from contracts.config import Config
from contracts.config_file import parse
from contracts.errors import ContractError
from tests.golden.samples import SAMPLES


def site(edge: str, *agents: str) -> Config:
    """A site whose cameras a, b, ... are those agents'; "-" is switched off."""
    lines = (
        f"  {name}: {{inputs: [{{url: x.mp4}}], {says(agent)}}}" for name, agent in zip("abc", agents, strict=False)
    )
    return parse("\n".join((f"edge: {{{edge}}}", "cameras:", *lines)))


def says(agent: str) -> str:
    return "enabled: false" if agent == "-" else f"agent: {agent}" if agent else ""


@pytest.mark.parametrize(
    ("config", "agents", "read"),
    [
        (site("", "", ""), (), {"whoever": "ab"}),  # a site's only agent may be called anything
        (site("agents: [box]", "", ""), ("box",), {"box": "ab", "whoever": ""}),
        (site("", "box", ""), ("box",), {"box": "ab", "whoever": ""}),  # who is named first is the only one
        (site("", "box", "bay"), ("box", "bay"), {"box": "a", "bay": "b", "whoever": ""}),
        (
            site("agents: [box], local_agents: [n.lan]", "n.lan", "box", "-"),
            ("box", "n.lan"),
            {"box": "b", "n.lan": "a"},
        ),
    ],
)
def test_a_camera_is_read_by_its_agent(config: Config, agents: tuple[str, ...], read: dict[str, str]) -> None:
    assert agents_of(config) == agents
    assert {agent: "".join(cameras_of(config, agent)) for agent in read} == read


def test_of_a_site_s_only_agent_the_name_is_known_where_it_is_said() -> None:
    assert (agent_of(site("", ""), "a"), agent_of(site("agents: [box]", ""), "a")) == (None, "box")


def test_a_session_can_t_be_of_a_time_that_is_to_come() -> None:
    frame = SAMPLES["frame"]
    check_session(replace(frame, session=frame.captured_at_ms + SESSION_AHEAD_MS))
    with pytest.raises(ContractError, match="a time that is to come"):
        check_session(replace(frame, session=frame.captured_at_ms + SESSION_AHEAD_MS + 1))
