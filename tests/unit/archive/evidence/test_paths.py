"""Evidence folders: where they lie, that no name leads elsewhere, and that old days go."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive.evidence.paths import alert_folder, evidence_root, expire
from contracts.config import Camera, Config, EvidenceStore, Input
from contracts.errors import ContractError
from contracts.messages import Alert

DAY_MS = 86_400_000
CONFIG = Config(cameras={"gate": Camera(inputs=(Input(url="x"),))})


def alert(**changes: str) -> Alert:
    names = {"site": "home", "camera": "gate", "id": "2f0c1f6e-5f0a-5a0e-9c5e-0d1b3a5c7e9f"} | changes
    return Alert(
        **names,
        revision=1,
        state="new",
        rule="r",
        rule_version=1,
        kind="zone_entry",
        severity="low",
        started_at_ms=1_767_571_199_999,  # 2026-01-04 23:59:59.999 UTC
        at_ms=1_767_571_300_000,  # a day later in UTC
    )


def test_the_folder_follows_from_the_alert() -> None:
    assert alert_folder(Path("/e"), alert()) == Path("/e/home/2026-01-04/gate/2f0c1f6e-5f0a-5a0e-9c5e-0d1b3a5c7e9f")


@pytest.mark.parametrize("name", ["site", "camera", "id"])
@pytest.mark.parametrize(
    "value",
    [
        "..",
        ".",
        "../../etc",
        "a/b",
        "/etc",
        "a\\b",
        "",
        ".hidden",
        "-rf",
        "a\0b",
        "a\n",
        "a b",
        "ä",
        "x" * 129,
        "\uff12",  # a digit, but not ASCII
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: str, value: str) -> None:
    with pytest.raises(ContractError, match=name):
        alert_folder(Path("/e"), alert(**{name: value}))


def test_the_root_is_the_configs_or_in_the_state_folder() -> None:
    elsewhere = Config(cameras=CONFIG.cameras, evidence=EvidenceStore(folder="/srv/evidence"))
    assert evidence_root(CONFIG, Path("/state")) == Path("/state/evidence")
    assert evidence_root(elsewhere, Path("/state")) == Path("/srv/evidence")


def test_days_that_ended_too_long_ago_go_and_nothing_else(tmp_path: Path) -> None:
    for folder in ("home/2026-01-01/gate/x", "home/2026-01-02/gate/x", "away/2026-01-01/gate/x", "home/notes/x"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "frame.jpg").touch()
    (tmp_path / "home/2025-01-01").touch()  # a file by the name of a day
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "home/2024-01-01").symlink_to(elsewhere)
    ended_ms = 1_767_312_000_000  # 2026-01-02 00:00 UTC: the 1st ended
    assert expire(tmp_path, ended_ms + 3 * DAY_MS, 3) == ()
    gone = expire(tmp_path, ended_ms + 3 * DAY_MS + 1, 3)
    assert [folder.relative_to(tmp_path).as_posix() for folder in gone] == ["away/2026-01-01", "home/2026-01-01"]
    assert elsewhere.exists()
    assert (tmp_path / "home/2026-01-02/gate/x/frame.jpg").exists()
    assert (tmp_path / "home/notes/x/frame.jpg").exists()
    assert expire(tmp_path, ended_ms + 3 * DAY_MS + 1, 3) == ()


def test_no_evidence_folder_yet(tmp_path: Path) -> None:
    assert expire(tmp_path / "none", 0, 1) == ()
