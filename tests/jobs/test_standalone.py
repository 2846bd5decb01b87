"""The jobs on a standalone cluster in application mode: a task manager dies, a savepoint carries an upgrade over."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import topics
from contracts.messages import Alert, FrameTracks
from tests.jobs.world import SiteUnderTest, visits
from tests.standalone import Standalone, wait_for

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(900)]

PART = 160
"""Frames: two visits, each 25 frames and 55 without anybody."""


def test_alerts_are_complete_over_a_dead_task_manager_and_an_upgrade(tmp_path: Path) -> None:
    frames = visits("gate", 3 * PART)
    with SiteUnderTest(tmp_path, parts=()) as site:
        arguments = [
            *(f"--config={tmp_path / 'config.yaml'}", f"--bootstrap={site.system.bootstrap}"),
            *(f"--manifest={tmp_path / 'manifest.json'}", "--jobs", "detect", "decide", "analytics"),
        ]
        with Standalone(tmp_path / "cluster", "stream.jobs.cluster", arguments, parallelism=2) as cluster:

            def tracked(count: int) -> bool:
                return len({one.index for one in site.messages(topics.TRACKS, FrameTracks)}) >= count

            def wait(what: str, true) -> None:
                wait_for(what, true, cluster.log)

            cluster.start(workers=2)
            wait("the job", cluster.runs)
            assert max(cluster.parallelism()) == 2  # the cluster's, whatever the config says of one machine
            site.send(frames[: PART // 2])
            wait("the first frames", lambda: tracked(PART // 4))
            cluster.kill_busy_worker()
            site.send(frames[PART // 2 : PART + 10])
            wait("frames after the dead task manager", lambda: tracked(PART + 10))
            # Somebody is in the zone now: the savepoint carries an open alert over.
            savepoint = cluster.stop_with_savepoint(wait)
            site.send(frames[PART + 10 :])
            cluster.start(1, savepoint)
            wait("all frames", lambda: tracked(3 * PART))
            wait("the last alert's end", lambda: len(_of(site, "end")) == 6)
            # Six visits: each is one alert, begun once and ended once, whatever died meanwhile.
            assert _of(site, "new") == _of(site, "end")
            assert len({alert.started_at_ms for alert in site.messages(topics.ALERTS, Alert)}) == 6


def _of(site: SiteUnderTest, state: str) -> set[str]:
    return {alert.id for alert in site.messages(topics.ALERTS, Alert) if alert.state == state}
