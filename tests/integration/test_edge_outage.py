"""The broker goes away and comes back, the agent is killed meanwhile: every accepted frame arrives, none twice.

`python -m tests.bench outage` does the same with a broker that is away for a minute.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge_outage import CAMERAS, LANES, outage

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

OUTAGE_S = 15


def test_frames_survive_a_broker_and_an_agent_that_die(tmp_path: Path) -> None:
    found = outage(tmp_path, OUTAGE_S)
    assert {lane for _, lane, _ in found.accepted} == set(LANES)
    assert found.live_after_s < 15  # live frames don't wait for the spool
    assert found.left == set()
    assert found.missing == set()
    assert found.twice == set()
    for camera in CAMERAS:
        # At 10 pictures a second of a source with 10, each index was accepted but for those that jitter skipped.
        both = sorted(found.taken(camera, "live") + found.taken(camera, "late"))
        sessions = sorted({session for session, _ in both})
        assert len(sessions) == 2
        for session in sessions:
            indices = [index for s, index in both if s == session]
            assert indices[0] == 0
            assert len(indices) > 0.85 * (indices[-1] + 1)
        counters = found.last_status[camera].counters
        assert counters.dropped == {}
        assert counters.spooled > 10
