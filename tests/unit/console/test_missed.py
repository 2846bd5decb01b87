"""What was missed: a box on an alert's frame or on a live picture becomes an answer that evidence and training read."""

from __future__ import annotations

import msgspec
import pytest

from archive.evidence import paths
from archive.evidence.chain import as_json
from archive.evidence.writer import Seen
from console.answers import NoAlertError
from console.evidence import Kept
from console.live.wall import Wall
from console.missed import Box, NoBoxError, NoFrameError, Still
from console.parts import Parts
from console.rights import ForbiddenError, Who
from contracts.codec import decode
from contracts.messages import Alert, Evidence, Feedback, FrameRef
from tests.console_scene import frame_of

OPERATOR = Who("anna", "operator")
DOG = Box("dog", (0.25, 0.5, 0.5, 1.0))
STILL = Still("gate", captured_at_ms=77_000, width=640, height=360, partition=2, offset=9)


def told(parts: Parts) -> list[Feedback]:
    """What waits for the topic."""
    return [decode(one.value, Feedback) for one in parts.store.answers.unsent()]


def keep_frame(parts: Parts, alert_id: str) -> Evidence:
    """The alert's frame is kept, as the evidence process does it."""
    alert = parts.store.alerts.body(alert_id)
    assert alert is not None
    shown = Evidence(
        ref=FrameRef("frames.home", 1, 5),
        captured_at_ms=alert.started_at_ms,
        width=640,
        height=360,
        xyxy=(1.0, 2.0, 30.0, 40.0),
        confidence=0.5,
        detail=True,
    )
    seen = Seen(
        alert=alert_id,
        revision=1,
        site=alert.site,
        camera=alert.camera,
        label="person",
        evidence=shown,
        session=1,
        index=1,
        sha256="0" * 64,
        model="",
        rule="",
        rule_version=0,
        config_version="",
    )
    parts.files.write(paths.place_of(alert).file(paths.SEEN), as_json(seen))
    return shown


def test_a_box_on_an_alerts_frame_is_an_answer_of_that_alert(parts: Parts) -> None:
    shown = keep_frame(parts, "alert-0")
    parts.missed.on_alert(OPERATOR, "alert-0", DOG, "mine")
    parts.missed.on_alert(OPERATOR, "alert-0", DOG, "mine")  # asked again, as no reply came
    (said,) = told(parts)
    assert (said.id, said.alert, said.action, said.label) == ("mine", "alert-0", "missed", "dog")
    assert said.evidence == msgspec.structs.replace(shown, xyxy=(160.0, 180.0, 320.0, 360.0), confidence=1.0)
    (answer,) = parts.store.answers.of("alert-0")
    assert (answer.action, answer.label, answer.operator) == ("missed", "dog", "anna")
    row = parts.store.alerts.get("alert-0")
    assert row is not None
    assert row.status == "open", "the alert itself is not answered by it"


def test_a_box_on_a_live_picture_says_which_frame_and_names_itself(parts: Parts) -> None:
    made = parts.missed.on_still(OPERATOR, STILL, DOG)
    (said,) = told(parts)
    assert (said.id, said.alert, said.camera, said.started_at_ms) == (made, made, "gate", 77_000)
    assert said.evidence is not None
    assert (said.evidence.ref, said.evidence.xyxy) == (FrameRef("frames.home", 2, 9), (160.0, 180.0, 320.0, 360.0))
    assert parts.store.audit.page()[0].action == "missed"


@pytest.mark.parametrize(
    ("who", "alert_id", "box", "error"),
    [
        (Who("vic", "viewer"), "alert-0", DOG, ForbiddenError),
        (Who("hal", "operator", frozenset({"hall"})), "alert-0", DOG, NoAlertError),
        (OPERATOR, "nowhere", DOG, NoAlertError),
        (OPERATOR, "alert-2", DOG, NoFrameError),
        (OPERATOR, "alert-0", Box("dragon", DOG.xyxy), NoBoxError),
        (OPERATOR, "alert-0", Box("dog", (0.5, 0.5, 0.5, 0.9)), NoBoxError),
    ],
    ids=["viewer", "other camera", "no alert", "no frame", "no label", "no width"],
)
def test_what_is_not_taken(parts: Parts, who: Who, alert_id: str, box: Box, error: type[Exception]) -> None:
    keep_frame(parts, "alert-0")
    with pytest.raises(error):
        parts.missed.on_alert(who, alert_id, box)
    assert told(parts) == []


def test_an_alert_that_is_deleted_meanwhile_is_not_there(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_frame(parts, "alert-0")
    kept = parts.evidence.kept

    def slow(alert: Alert) -> Kept | None:
        found = kept(alert)
        parts.store.alerts.forget(2**60, 0)
        return found

    monkeypatch.setattr(parts.evidence, "kept", slow)
    with pytest.raises(NoAlertError):
        parts.missed.on_alert(OPERATOR, "alert-0", DOG)
    assert told(parts) == []


def test_a_live_picture_of_a_camera_that_one_may_not_see_is_not_taken(parts: Parts) -> None:
    with pytest.raises(ForbiddenError):
        parts.missed.on_still(Who("hal", "operator", frozenset({"hall"})), STILL, DOG)


def test_the_wall_knows_where_its_picture_lies() -> None:
    wall, ref = Wall({"gate": 5.0}), FrameRef("frames.home", 2, 9)
    wall.take(frame_of("gate", 1, 50), 100, ref)
    assert wall.pictures(100_000, frozenset({"gate"}))["gate"].ref == ref
