"""What operators answered, kept beside an alert's evidence: verdict, who is who, what was missed, and cases."""

from __future__ import annotations

import msgspec

from archive.evidence import paths
from archive.evidence.chain import Chain, ChainReader, Entry, as_json
from archive.evidence.paths import Place
from contracts.decoding import from_json
from contracts.fields import Answer, Millis, Size, Verdict, Xyxy
from contracts.messages import Feedback

IDENTITY: dict[Answer, bool | None] = {"is_person": True, "not_person": False, "denial_undone": None}
"""What an answer about somebody means for them."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Who keeps the evidence for a case, since when, and why."""

    operator: str
    at_ms: Millis
    text: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is that person, as the latest answer says, and since when."""

    is_person: bool | None
    at_ms: Millis


class MissedBox(msgspec.Struct, frozen=True, kw_only=True):
    """Something that nobody had said: what, and where (xyxy, pixels of a picture of that size) on the frame of then."""

    label: str
    xyxy: Xyxy
    width: Size
    height: Size
    captured_at_ms: Millis
    by: str
    at_ms: Millis


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The latest verdict and whose it is, who is who, what was missed (by its answer's id), and the cases.

    While there is a case, nothing is deleted.
    """

    v: int = 1
    verdict: Verdict | None = None
    verdict_at_ms: Millis = 0
    verdict_by: str = ""
    people: dict[str, Said] = {}
    missed: dict[str, MissedBox] = {}
    holds: dict[str, Hold] = {}
    released: dict[str, Millis] = {}


def after(before: Answered, said: Feedback) -> Answered:
    """The state after an answer; one that is repeated, or older than what is known, changes nothing."""
    if said.action == "verdict" and said.verdict is not None and said.at_ms >= before.verdict_at_ms:
        return msgspec.structs.replace(before, verdict=said.verdict, verdict_at_ms=said.at_ms, verdict_by=said.operator)
    if said.action in IDENTITY:
        known = before.people.get(said.person_id)
        if known is not None and known.at_ms >= said.at_ms:
            return before
        told = Said(is_person=IDENTITY[said.action], at_ms=said.at_ms)
        return msgspec.structs.replace(before, people=before.people | {said.person_id: told})
    if said.action == "missed":
        box = missed_box(said)
        if box is None or said.id in before.missed:
            return before
        return msgspec.structs.replace(before, missed=before.missed | {said.id: box})
    known_ms = max(before.released.get(said.case, 0), before.holds[said.case].at_ms if said.case in before.holds else 0)
    if said.action not in ("hold", "release") or said.at_ms <= known_ms:
        return before
    holds = {case: hold for case, hold in before.holds.items() if case != said.case}
    released = {case: at_ms for case, at_ms in before.released.items() if case != said.case}
    if said.action == "hold":
        holds[said.case] = Hold(operator=said.operator, at_ms=said.at_ms, text=said.text)
    else:
        released[said.case] = said.at_ms
    return msgspec.structs.replace(before, holds=holds, released=released)


def missed_box(said: Feedback) -> MissedBox | None:
    """What a `missed` says; None where it names no place."""
    seen = said.evidence
    if seen is None or seen.xyxy is None or not said.label:
        return None
    return MissedBox(
        label=said.label,
        xyxy=seen.xyxy,
        width=seen.width,
        height=seen.height,
        captured_at_ms=seen.captured_at_ms,
        by=said.operator,
        at_ms=said.at_ms,
    )


def answered(chain: ChainReader, place: Place, manifest: Entry | None) -> Answered:
    """What is known of an alert's answers."""
    data = chain.read(place, paths.ANSWERS, manifest)
    return from_json(data, Answered) if data is not None else Answered()


def take(chain: Chain, said: Feedback) -> None:
    """Keep what an answer changes, beside the alert's evidence. Raises ContractError for no folder's names, OSError.

    It may come before the alert. Answers from before they told when their alert began can't be placed.
    """
    if said.action not in ("verdict", "hold", "release", "missed", *IDENTITY) or not said.started_at_ms:
        return
    place = paths.place(said.site, said.started_at_ms, said.camera, said.alert)
    manifest = chain.manifest(place)
    if manifest is not None and manifest.kind == "deleted":
        return
    before = answered(chain, place, manifest)
    now = after(before, said)
    if now != before:
        chain.keep(place, {paths.ANSWERS: as_json(now)}, f"{said.action} by {said.operator}")
