"""Who reads which camera, as the console tells administrators: by the config, and by what agents say."""

from __future__ import annotations

import pytest

from console.parts import Parts
from console.rights import ForbiddenError, Who
from contracts.edge_messages import EdgeStatus
from tests.agent_tools import ADA, SITE


def test_agents_are_those_of_the_config_and_who_is_heard(parts: Parts) -> None:
    now_ms = parts.clock_ms()
    for camera, agent in (("gate", "north"), ("gate", "attic.lan"), ("lost", "south")):
        status = EdgeStatus(site=SITE, camera=camera, agent=agent, session=1, at_ms=1, state="up", version="1.4")
        parts.fleet.take(status, now_ms)
    attic, north, south = parts.agents.agents(ADA)
    assert (attic.name, attic.named, attic.reads, attic.heard_at_ms) == ("attic.lan", False, ("gate",), now_ms)
    assert (north.named, north.enrolled_at_ms, north.runs, south.reads) == (True, 0, "1.4", ("lost",))
    assert parts.agents.readers(ADA) == {"gate": ("attic.lan", "north"), "hall": ()}
    with pytest.raises(ForbiddenError):
        parts.agents.readers(Who("sue", "supervisor"))
