"""Where evidence is kept: the same promises of a folder and of a bucket (the bucket's server: tests/integration)."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.evidence.files import Bucket, Folder, files_of
from contracts.config import S3, EvidenceStore
from tests.evidence_tools import behaves


def test_a_folder(tmp_path: Path) -> None:
    behaves(Folder(tmp_path / "evidence"))


def test_a_folders_half_written_files_and_links_are_not_listed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("x")
    files = Folder(tmp_path / "evidence")
    files.write("a/b", b"b")
    (tmp_path / "evidence/a/.c.tmp").write_bytes(b"half")
    (tmp_path / "evidence/link").symlink_to(outside)
    assert files.folders("") == ["a"]
    assert files.paths("") == ["a/b"]


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (EvidenceStore(), "/state/evidence/x"),
        (EvidenceStore(folder="/srv/evidence"), "/srv/evidence/x"),
        (EvidenceStore(s3=S3(bucket="cameras")), "s3://cameras/x"),
        (EvidenceStore(s3=S3(bucket="cameras", prefix="a/b", endpoint="http://127.0.0.1:1")), "s3://cameras/a/b/x"),
    ],
)
def test_the_config_says_where(config: EvidenceStore, place: str) -> None:
    assert files_of(config, Path("/state")).place("x") == place


def test_a_bucket_that_is_away_is_an_error_of_the_disk() -> None:
    files = Bucket(S3(bucket="cameras", endpoint="http://127.0.0.1:9"), attempts=0)
    with pytest.raises(OSError, match="s3://cameras/x"):
        files.read("x")
