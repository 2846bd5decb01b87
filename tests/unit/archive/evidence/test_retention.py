"""How long evidence is kept: by its class, not while a case holds it, and every deletion is told and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from archive.evidence import answers, paths
from archive.evidence.answers import Answered, Hold, Said, after, answered
from archive.evidence.chain import Chain
from archive.evidence.chain_check import check_day
from archive.evidence.files import Folder
from archive.evidence.retention import Retention
from contracts import codec
from contracts.config import EvidenceStore, FaceRetention, KeepDays, KeptClass, KeptGroup
from contracts.errors import ContractError
from contracts.identity import Identified
from contracts.messages import Alert, EvidenceNote, Feedback
from contracts.metrics import Metrics
from tests.evidence_tools import AT_MS, KEY, alert

DAY_MS = 86_400_000
DAY_ENDED_MS = AT_MS + DAY_MS
KEEP = KeepDays(confirmed=100, unanswered=10, nuisance=5, false_alarm=2, severity={"critical": 20})
FACES = FaceRetention(groups={"staff": KeptGroup(evidence_days=4)}, unknown=KeptClass(evidence_days=30))


class Killed(BaseException):
    """Stands for the end of the process."""


class Bench:
    """Retention over a folder, and what it told."""

    def __init__(self, root: Path) -> None:
        self.files = Folder(root)
        self.chain = Chain(self.files, KEY, lambda: AT_MS)
        self.told: list[EvidenceNote] = []
        config = EvidenceStore(keep_days=KEEP, keep_chain_days=1000)
        measured = Metrics(CollectorRegistry())
        self.retention = Retention(self.files, self.chain, config, measured, self.told.append, lambda: False, FACES)

    def keep(self, one: Alert, *said: Feedback) -> None:
        self.chain.keep(paths.place_of(one), {paths.FRAME: b"x", paths.ALERT: codec.encode(one)}, "revision")
        for answer in said:
            answers.take(self.chain, answer)

    def left_after(self, days: float) -> set[str]:
        """The alerts that have evidence so many days after the day of their start."""
        self.retention.sweep(DAY_ENDED_MS + round(days * DAY_MS))
        found = (path.split("/") for path in self.files.paths("home") if path.endswith(paths.FRAME))
        return {parts[3] for parts in found}


def feedback(action: Any = "verdict", at_ms: int = AT_MS, **changes: Any) -> Feedback:
    values: dict[str, Any] = {
        "id": "x",
        "site": "home",
        "camera": "gate",
        "alert": "0e7a",
        "revision": 1,
        "operator": "anna",
        "started_at_ms": AT_MS,
    }
    return Feedback(**(values | {"action": action, "at_ms": at_ms} | changes))


@pytest.mark.parametrize(
    ("verdict", "severity", "days"),
    [
        (None, "high", 10),
        (None, "critical", 20),
        ("true", "high", 100),
        ("true", "critical", 100),
        ("nuisance", "critical", 5),
        ("false", "critical", 2),
    ],
)
def test_each_class_has_its_time(tmp_path: Path, verdict: Any, severity: Any, days: float) -> None:
    bench = Bench(tmp_path)
    bench.keep(alert(severity=severity), *([feedback(verdict=verdict)] if verdict else []))
    assert bench.left_after(days - 0.01) == {"0e7a"}
    assert bench.told == []
    assert bench.left_after(days + 0.01) == set()
    (note,) = bench.told
    assert (note.alert, note.kind, note.at_ms) == ("0e7a", "deleted", AT_MS)
    assert note.why.endswith(f"kept for {days} days")


@pytest.mark.parametrize(
    ("identity", "verdict", "days"),
    [
        (Identified(decision="identified", person_id="p", group="staff"), None, 4),
        (Identified(decision="identified", person_id="p", group="staff"), "true", 4),
        (Identified(decision="identified", person_id="p", group="vip"), None, 10),
        (Identified(decision="unknown"), None, 30),
        (Identified(decision="unknown"), "false", 2),
        (None, None, 10),
    ],
    ids=["a group", "confirmed", "another group", "unknown", "nobody after all", "not about anybody"],
)
def test_each_class_of_people_has_its_time(
    tmp_path: Path, identity: Identified | None, verdict: Any, days: float
) -> None:
    bench = Bench(tmp_path)
    bench.keep(alert(identity=identity), *([feedback(verdict=verdict)] if verdict else []))
    assert bench.left_after(days - 0.01) == {"0e7a"}
    assert bench.left_after(days + 0.01) == set()


def test_a_case_holds_it_until_the_last_one_lets_go(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first, second = (feedback("hold", AT_MS + n, case=f"case {n}") for n in (1, 2))
    bench.keep(alert(), feedback(verdict="false"), first, second)
    assert bench.left_after(5000) == {"0e7a"}
    answers.take(bench.chain, feedback("release", AT_MS + 5, case="case 1"))
    assert bench.left_after(5000) == {"0e7a"}
    answers.take(bench.chain, feedback("release", AT_MS + 6, case="case 2"))
    assert bench.left_after(900) == set()


def test_a_hold_may_come_before_its_alert(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    answers.take(bench.chain, feedback("hold", case="2026-17"))
    bench.keep(alert())
    assert bench.left_after(5000) == {"0e7a"}


def test_the_chain_explains_what_is_gone(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.keep(alert(), feedback(verdict="false"))
    bench.keep(alert(id="other"), feedback(alert="other", verdict="true"))
    assert bench.left_after(50) == {"other"}
    checked = check_day(bench.files, "home/2026-01-05", KEY.public)
    assert (checked.kept, checked.deleted, checked.faults) == (1, 1, ())
    stone = bench.chain.manifest(paths.place_of(alert()))
    assert stone is not None
    assert stone.why == "false alarm: kept for 2 days"
    assert stone.files.keys() == {paths.FRAME, paths.ALERT, paths.ANSWERS}, "what they were stays known"


def test_a_chain_goes_when_it_explains_nothing_that_anybody_asks_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.keep(alert(), feedback("hold", case="c"))
    bench.keep(alert(id="other"))
    assert bench.left_after(1001) == {"0e7a"}
    answers.take(bench.chain, feedback("release", AT_MS + 1, case="c"))
    assert bench.left_after(1001) == set()
    assert bench.files.paths("") == []


@pytest.mark.parametrize("survives", range(5))
def test_cut_off_anywhere_the_next_sweep_finishes_and_it_is_told(
    tmp_path: Path, survives: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    bench.keep(alert())
    left = [survives]

    def dying(name: str) -> Any:
        real = getattr(Folder, name)

        def step(*given: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*given)

        return step

    with monkeypatch.context() as patch:
        for name in ("create", "write", "delete"):
            patch.setattr(Folder, name, dying(name))
        with pytest.raises(Killed):
            bench.left_after(50)
    again = Bench(tmp_path)
    assert again.left_after(50) == set()
    notes = bench.told + again.told
    assert {(note.alert, note.at_ms) for note in notes} == {("0e7a", AT_MS)}
    assert check_day(again.files, "home/2026-01-05", KEY.public).faults == ()
    assert again.left_after(51) == set()
    assert len(bench.told + again.told) == len(notes), "told no more"


def test_nothing_else_in_the_folder_is_touched(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.files.write("home/notes/gate/x/frame.jpg", b"x")
    bench.files.write("home/2026-01-05/readme.txt", b"x")
    bench.left_after(2000)
    assert bench.files.paths("") == ["home/2026-01-05/readme.txt", "home/notes/gate/x/frame.jpg"]


HELD = Answered(holds={"c": Hold(operator="anna", at_ms=AT_MS)})


@pytest.mark.parametrize(
    ("before", "said", "now"),
    [
        (
            Answered(),
            feedback(verdict="true"),
            Answered(verdict="true", verdict_at_ms=AT_MS, verdict_by="anna"),
        ),
        (
            Answered(),
            feedback("not_person", person_id="p1"),
            Answered(people={"p1": Said(is_person=False, at_ms=AT_MS)}),
        ),
        (
            Answered(verdict="true", verdict_at_ms=AT_MS + 1),
            feedback(verdict="false"),
            Answered(verdict="true", verdict_at_ms=AT_MS + 1),
        ),
        (Answered(), feedback("comment"), Answered()),
        (Answered(), feedback("hold", case="c"), HELD),
        (HELD, feedback("hold", case="c"), HELD),
        (HELD, feedback("release", AT_MS - 1, case="c"), HELD),
        (HELD, feedback("release", AT_MS + 1, case="c"), Answered(released={"c": AT_MS + 1})),
        (Answered(released={"c": AT_MS + 1}), feedback("hold", case="c"), Answered(released={"c": AT_MS + 1})),
    ],
    ids=[
        "verdict",
        "who it is not",
        "older",
        "comment",
        "hold",
        "again",
        "older release",
        "release",
        "a hold that was released",
    ],
)
def test_the_latest_word_counts(before: Answered, said: Feedback, now: Answered) -> None:
    assert after(before, said) == now


def test_answers_that_change_nothing_write_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.keep(alert(), feedback(verdict="true"))
    before = bench.files.paths("")
    for said in (feedback(verdict="true"), feedback("comment"), feedback(verdict="false", started_at_ms=0)):
        answers.take(bench.chain, said)
    assert bench.files.paths("") == before
    place = paths.place_of(alert())
    assert answered(bench.chain, place, bench.chain.manifest(place)).verdict == "true"
    with pytest.raises(ContractError):
        answers.take(bench.chain, feedback(verdict="true", camera="../x"))
