"""The history process behind a real broker: killed over and over, each track, event and window is there once."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from archive.history import catalog
from archive.history.mirror import Mirror
from bus.admin import create_topics
from contracts import topics
from contracts.codec import encode
from tests.history_tools import alert, event, thing, tracks, window
from tests.kafka_tools import Writer
from tests.waiting import wait_until
from vedette.broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

KILLS = 5
TRACKS = 120


class Site:
    """A site's config, state and topics on the broker."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.name = f"hi-{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self.state = folder
        self.root = folder / "history"
        self.config = folder / "vedette.yaml"
        self.config.write_text(
            f"site: {{name: {self.name}}}\ncameras: {{gate: {{inputs: [{{url: clip.mp4}}]}}}}\n"
            "history: {write_every_s: 0.3, keep_days: 100000}\n"
        )
        create_topics(bootstrap, topics.specs(self.name, 2, keep_forever=True))

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The process; asked to end after the block when it still lives."""
        command = [sys.executable, "-m", "archive.history", "--config", str(self.config)]
        command += ["--bootstrap", self.bootstrap, "--state", str(self.state)]
        process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
        try:
            yield process
        finally:
            process.terminate()
            assert process.wait(15) in (0, -9)

    def ids(self, kind: str) -> list[str]:
        """The ids of all rows that count."""
        names = [str(self.root / one.name) for one in catalog.read(Mirror(self.root)).files if one.kind == kind]
        if not names:
            return []
        query = "SELECT id FROM read_parquet($names) WHERE site = $site ORDER BY id"
        return [row[0] for row in duckdb.execute(query, {"names": names, "site": self.name}).fetchall()]


@pytest.fixture
def site(broker: Broker, tmp_path: Path) -> Site:
    return Site(broker.bootstrap, tmp_path)


def test_killed_over_and_over_each_row_is_there_once(site: Site) -> None:
    with Writer(site.bootstrap) as writer:
        for kill in range(KILLS):
            with site.running() as process:
                for number in range(kill * TRACKS // KILLS, (kill + 1) * TRACKS // KILLS):
                    frame = tracks(number * 3, thing(number), site=site.name)
                    writer.send(topics.TRACKS, encode(frame), "gate")
                    writer.send(topics.TRACKS, encode(frame), "gate")  # as after a restart of the jobs
                    writer.send(topics.EVENTS, encode(event(number, site=site.name, id=f"e{number:03d}")), "gate")
                    writer.send(topics.ALERTS, encode(alert(number, site=site.name)), "gate")
                    writer.send(topics.ANALYTICS, encode(window(number, site=site.name)), "gate")
                writer.flush()
                before = catalog.read(Mirror(site.root)).number
                wait_until(lambda: catalog.read(Mirror(site.root)).number > before)  # noqa: B023  called in this round
                if kill < KILLS - 1:
                    process.kill()
        with site.running():
            writer.send(topics.EVENTS, b"{}", "gate")
            writer.send(topics.TRACKS, encode(tracks(10 * TRACKS, site=site.name)), "gate")
            writer.flush()
            wait_until(lambda: len(site.ids("tracks")) >= TRACKS)
            wait_until(lambda: len(site.ids("events")) >= TRACKS)
    assert site.ids("events") == [f"e{number:03d}" for number in range(TRACKS)]
    assert len(site.ids("windows")) == len(set(site.ids("windows"))) == TRACKS
    assert len(site.ids("tracks")) == len(set(site.ids("tracks"))) == TRACKS
    names = [str(site.root / one.name) for one in catalog.read(Mirror(site.root)).files if one.kind == "tracks"]
    linked = duckdb.execute("SELECT list_sort(alerts) FROM read_parquet($names) ORDER BY track_id", {"names": names})
    assert [row[0] for row in linked.fetchall()] == [[f"alert-{number}"] for number in range(TRACKS)]
