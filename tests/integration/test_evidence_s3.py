"""Evidence, history and models in a bucket of a real S3 server: moto's, as a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from archive.collection.lease import LeaseError, leased
from archive.evidence.files import Bucket
from archive.history import catalog
from archive.history.gather import GatherState
from archive.history.mirror import Mirror
from archive.history.parquet import ParquetWriter
from archive.history.search import Search, Wanted
from archive.registry import registry_of
from archive.registry.registry import MANIFEST
from contracts.config import S3, Models
from contracts.manifest import load_manifest
from stream.jobs.model_source import ModelSource
from tests.evidence_tools import behaves
from tests.history_tools import track_row
from tests.integration.evidence_site import PICTURES, Site, shown
from tests.registry_tools import AT_MS, SITE, made, pass_gate
from tests.waiting import wait_until
from vault import signing_key
from vedette.broker import Broker

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "vedette", "AWS_SECRET_ACCESS_KEY": "a secret of the environment"}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """A server with a bucket."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(port))
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="cameras")
        yield S3(bucket="cameras", prefix="sites/one", endpoint=endpoint)
    finally:
        server.kill()
        server.wait()


def answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_a_bucket_does_what_a_folder_does(s3: S3) -> None:
    behaves(Bucket(s3))


def test_pictures_clips_and_chain_in_a_bucket_also_after_a_kill(broker: Broker, tmp_path: Path, s3: S3) -> None:
    bucket = f"s3: {{bucket: {s3.bucket}, prefix: {s3.prefix}, endpoint: '{s3.endpoint}'}}"
    site = Site(broker.bootstrap, tmp_path, bucket)
    site.files = Bucket(s3)
    began_ms = site.now_ms - 20_000
    frames = [site.frame(number, at_ms=began_ms + 100 * number) for number in range(30)]
    over = {"state": "end", "ended_at_ms": began_ms + 2000, "revision": 2, "started_at_ms": began_ms}
    alerts = [site.alert(*frames[10], id=f"alert-{number}", **over) for number in range(6)]
    with site.process() as process:
        wait_until(lambda: site.clip(alerts[0]) is not None)
        process.kill()
    with site.process():
        wait_until(lambda: all(site.has(one, *PICTURES) and site.clip(one) is not None for one in alerts))
        time.sleep(0.5)
    assert {len(shown(site, one)) for one in alerts} == {30}
    assert site.faults() == []
    assert not site.root.exists()


def test_the_history_in_a_bucket(tmp_path: Path, s3: S3) -> None:
    mirror = Mirror(tmp_path / "one", Bucket(s3))
    files = ParquetWriter(mirror).write([track_row(n) for n in range(5)])
    catalog.commit(mirror, catalog.Catalogue(files=files), GatherState())
    search = Search(Mirror(tmp_path / "two", Bucket(s3)))
    assert [row.track_id for row in search.tracks(Wanted(), None, 3)] == [4, 3, 2]


def test_one_collects_at_a_time_in_a_bucket(s3: S3) -> None:
    with leased(Bucket(s3), "one machine", time.sleep, beat_s=0.1) as still:
        with pytest.raises(LeaseError, match="one machine is collecting"), leased(Bucket(s3), "another", time.sleep):
            pytest.fail("two of them")
        still()
    with leased(Bucket(s3), "another", lambda _: pytest.fail("the first has ended")):
        pass
    ours, theirs = (Bucket(s3).create("collecting/000000009.json", b'{"by":"us"}') for _ in range(2))
    assert (ours, theirs) == (True, False), "of two that make the same number one is told so"


def test_models_in_a_bucket(tmp_path: Path, s3: S3) -> None:
    key = signing_key({}, tmp_path / "signing.key")
    models = Models(s3=s3, trusted_keys=(str(key.public),))
    registry = registry_of(models, lambda: AT_MS, key)
    assert registry is not None
    registry.adopt(made(tmp_path, "1"), SITE, by="bea")
    registry.register(made(tmp_path, "2"), by="bea")
    pass_gate(registry, "detector@2", against="detector@1")
    registry.promote("detector@2", SITE, "everywhere", by="bea")
    again = registry_of(models, lambda: AT_MS)
    assert again is not None
    assert again.standing(SITE) == registry.standing(SITE)
    assert [one.id for one in again.versions()] == ["detector@1", "detector@2"]
    manifest = again.manifest("detector@2")
    assert load_manifest(ModelSource(models, str(tmp_path / "cache")).folder_of(manifest, "") / MANIFEST) == manifest
