"""Where evidence lies, and that no name leads elsewhere."""

from __future__ import annotations

import pytest

from archive.evidence.paths import parsed, place_in, place_of
from contracts.errors import ContractError
from contracts.messages import Alert


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
    assert place_of(alert()).folder == "home/2026-01-04/gate/2f0c1f6e-5f0a-5a0e-9c5e-0d1b3a5c7e9f"


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
        place_of(alert(**{name: value}))


def test_a_path_says_whose_file_it_is() -> None:
    place = place_of(alert())
    assert parsed(place.file("clip.mp4")) == (place, "clip.mp4")
    assert place_in(place.day_folder, place.camera, place.alert) == place


@pytest.mark.parametrize(
    "path",
    [
        "home/2026-01-04/_chain/00000001.json",
        "home/_pending/x.json",
        "home/notes/a/b/c",
        "a/b",
        "home/2026-01-04/../b/c",
    ],
)
def test_other_paths_are_no_alerts(path: str) -> None:
    assert parsed(path) is None
