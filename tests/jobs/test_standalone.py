"""The jobs on a standalone cluster in application mode: managers die, partitions come, a savepoint is gone on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bus.admin import create_topics
from contracts import topics
from contracts.codec import encode
from contracts.messages import Alert, FrameTracks
from tests.jobs.test_site import PEOPLE, TIMES, UnknownsUnderTest, comings
from tests.jobs.world import CONFIG, visits
from tests.kafka_tools import Writer
from tests.standalone import CLUSTER_S, Standalone
from tests.waiting import wait_until
from vault.master import FILE_VARIABLE
from vedette.master_file import NAME

pytestmark = [pytest.mark.broker, pytest.mark.flink, pytest.mark.timeout(900)]

PART = 160
"""Frames: two visits, each 25 frames and 55 without anybody."""


def test_alerts_and_people_are_complete_over_dead_managers_new_partitions_and_an_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = visits("gate", 3 * PART)
    with UnknownsUnderTest(tmp_path, CONFIG["rules"], parts=()) as site:  # type: ignore[arg-type]
        monkeypatch.setenv(FILE_VARIABLE, str(site.system.state_dir / NAME))
        people = comings(site.keys)
        half = len(people) // 2
        arguments = [
            *(f"--config={tmp_path / 'config.yaml'}", f"--bootstrap={site.system.bootstrap}"),
            *(f"--manifest={tmp_path / 'manifest.json'}", "--jobs", "detect", "decide", "analytics", "site"),
            *("--go-on", "--new-partitions-s=1"),
        ]
        with Standalone(tmp_path / "cluster", "stream.jobs.cluster", arguments, parallelism=2) as cluster:

            def tracked(count: int) -> bool:
                return len({one.index for one in site.messages(topics.TRACKS, FrameTracks)}) >= count

            def wait(what: str, true: Callable[[], bool]) -> None:
                wait_until(true, CLUSTER_S, what, log=cluster.log, look_s=0.3)

            cluster.start(workers=2)
            wait("the job", cluster.runs)
            assert max(cluster.parallelism()) == 2  # the cluster's, whatever the config says of one machine
            site.send(frames[: PART // 2])
            site.tell(people[:half])
            wait("the first frames", lambda: tracked(PART // 4))
            wait("every task", cluster.runs)  # a busy machine may have restarted one
            cluster.kill_busy_worker()
            site.send(frames[PART // 2 : PART + 10])
            site.tell(people[half:])
            wait("frames after the dead task manager", lambda: tracked(PART + 10))
            # Somebody is in the zone now: checkpoint and savepoint carry an open alert over.
            wait("a checkpoint", lambda: any((cluster.folder / "checkpoints").glob("*/chk-*/_metadata")))
            cluster.restart_manager()
            create_topics(site.system.bootstrap, topics.specs("site", 3, keep_forever=True))
            site.producer = Writer(site.system.bootstrap)  # one that knows of them, as an agent that has connected anew
            for one in frames[PART + 10 : 2 * PART + 10]:
                site.send_raw(topics.frames("site"), one.camera.encode(), encode(one), partition=2)
            wait("frames of the new partition", lambda: tracked(2 * PART + 10))
            wait("the last person", lambda: site.knows(people[-1].track))
            # The same alerts would come of all records once more: what they come of is to be the checkpoint.
            assert "/chk-" in cluster.went_on_from()
            savepoint = cluster.stop_with_savepoint(wait)
            site.send(frames[2 * PART + 10 :])
            cluster.start(1, savepoint)
            wait("all frames", lambda: tracked(3 * PART))
            wait("the last alert's end", lambda: len(_of(site, "end")) == 6)
        # Six visits: each is one alert, begun once and ended once, whatever died meanwhile.
        assert _of(site, "new") == _of(site, "end")
        assert len({alert.started_at_ms for alert in _entries(site)}) == 6
        assert sorted(came for came, _ in site.there().values()) == [TIMES] * PEOPLE


def _entries(site: UnknownsUnderTest) -> list[Alert]:
    return [alert for alert in site.messages(topics.ALERTS, Alert) if alert.rule == "entry"]


def _of(site: UnknownsUnderTest, state: str) -> set[str]:
    return {alert.id for alert in _entries(site) if alert.state == state}
