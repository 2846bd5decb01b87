"""An alert as it is shown when it is opened: what, where, why in values, which versions decided, what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from archive.evidence.clip import window_of
from console.answers import NoAlertError
from console.pages.desk import Desk, Visit
from console.pages.identity import identity_of
from console.pages.texts import ALERTS, IDENTITY
from console.pages.times import delayed, stamp
from console.store.rows import AlertRow, AnswerRow, RevisionRow
from contracts.fields import QUESTION
from contracts.messages import Alert, Condition

CLIP_PATIENCE_MS = 120_000
"""A clip that is not there so long after its time is not promised any more."""

TEXTS = ALERTS | IDENTITY
BY_STATE = {"new": "history_new", "update": "history_update", "end": "history_end"}


def detail_of(visit: Visit, alert_id: str) -> dict[str, Any]:
    """The alert `alert_id` for this person; raises NoAlertError also where they may not see its camera. Blocks."""
    store = visit.desk.store
    row, alert = store.alerts.get(alert_id), store.alerts.body(alert_id)
    if row is None or alert is None or not visit.who.sees(row.camera):
        raise NoAlertError("there is no such alert")
    history = history_of(alert.kind, store.alerts.history(alert_id), store.answers.of(alert_id), visit.desk.zone)
    return shown(visit.desk, row, alert, history) | {"identity": identity_of(visit, alert)}


def shown(desk: Desk, row: AlertRow, alert: Alert, history: list[dict[str, Any]]) -> dict[str, Any]:
    """What the browser draws. The picture's path is "" where none was kept; then `missed` says why, if it is known."""
    camera_name = desk.camera_name(alert.camera)
    told: dict[str, Any] = msgspec.to_builtins(row)
    kept = desk.parts.evidence.kept(alert)
    return told | {
        "camera_name": camera_name,
        "frame": f"/pictures/{alert.id}/frame.jpg?v={kept.revision}" if kept else "",
        "heat": f"/pictures/{alert.id}/explained.json?v={kept.revision}" if kept and kept.evidence.xyxy else "",
        "missed": "" if kept else _missed(desk, alert),
        "clip": _clip(desk, alert),
        "cases": desk.store.answers.cases_of(alert.id),
        "silence": _silence(desk, alert),
        "bundle": f"/pictures/{alert.id}/bundle.zip",
        "evidence": msgspec.to_builtins(kept.evidence if kept else alert.evidence),
        "area": alert.area,
        "trail": alert.trail,
        "trace": [*(_condition(one) for one in alert.trace), *attributes_of(alert)],
        "instructions": alert.instructions,
        "history": history,
        "versions": _versions(alert),
        "spoken": ALERTS["spoken"].format(camera=camera_name, why=alert.why),
    }


def history_of(
    kind: str, revisions: Sequence[RevisionRow], answers: Sequence[AnswerRow], zone: str
) -> list[dict[str, Any]]:
    """Revisions and answers in the order of time, in words; times of the site's `zone`.

    A question is asked, and has no end beside its answer.
    """
    asked = kind == QUESTION
    told = [
        {
            "at_ms": one.at_ms,
            "who": "",
            "text": ALERTS["history_asked" if asked else BY_STATE[one.state]].format(
                why=one.why, revision=one.revision
            ),
            "words": "",
        }
        for one in (revisions[:1] if asked else revisions)
    ]
    done = [
        {"at_ms": one.at_ms, "who": one.operator, "text": _said(one, asked, zone), "words": one.text} for one in answers
    ]
    return sorted([*told, *done], key=lambda one: (one["at_ms"], one["who"]))


def _condition(condition: Condition) -> dict[str, Any]:
    """One condition of the rule, its name in words."""
    name = ALERTS.get(f"condition_{condition.name}", condition.name.replace("_", " "))
    wanted = condition.wanted.replace(">= ", "≥ ").replace("<= ", "≤ ")
    return {"name": name, "wanted": wanted, "got": condition.got, "met": condition.met}


def attributes_of(alert: Alert) -> list[dict[str, Any]]:
    """What classifiers say of it beside what the rule asked for."""
    asked = {condition.name for condition in alert.trace}
    return [
        {
            "name": one.name.replace("_", " "),
            "wanted": "–",
            "got": ALERTS["attribute"].format(
                value=one.value or ALERTS["attribute_unsure"], share=f"{one.confidence:.0%}", looks=one.looks
            ),
            "met": True,
        }
        for one in alert.attributes
        if one.name not in asked
    ]


def _said(answer: AnswerRow, asked: bool, zone: str) -> str:
    if answer.action == "escalate" and not answer.operator:
        return ALERTS["history_escalate_self"]
    verdict = ALERTS[f"verdict_{answer.verdict}"] if answer.verdict else ""
    if asked:
        verdict = ALERTS.get(f"verdict_question_{answer.verdict}", verdict)
    return TEXTS[f"history_{answer.action}"].format(
        verdict=verdict.lower(),
        to=answer.to or "–",
        until=stamp(answer.until_ms, zone),
        case=answer.case,
        label=answer.label,
    )


def _rule(alert: Alert) -> str:
    """The rule, its kind and version; a question is of none."""
    return "" if alert.kind == QUESTION else f"{alert.rule} · {alert.kind} · {alert.rule_version & 0xFFFFFFFF:08x}"


def _versions(alert: Alert) -> list[tuple[str, str]]:
    delay_ms = alert.decided_at_ms - alert.at_ms if alert.decided_at_ms else 0
    return [
        (ALERTS["version_model"], alert.model),
        (ALERTS["version_config"], alert.config_version),
        (ALERTS["version_rule"], _rule(alert)),
        (ALERTS["version_revision"], str(alert.revision)),
        (ALERTS["version_score"], f"{alert.score:.3g}"),
        (ALERTS["version_delay"], delayed(delay_ms) if delay_ms else ""),
        (ALERTS["version_id"], alert.id),
    ]


def _clip(desk: Desk, alert: Alert) -> dict[str, Any]:
    """The clip's path ("" where there is none) and what is to be said of it; `soon`: it is still to come."""
    info = desk.parts.evidence.clip(alert)
    if info is not None and info.frames:
        said = [ALERTS["clip_gated"].format(frames=info.frames, seconds=f"{info.seconds:.1f}")]
        said += [ALERTS["clip_cut"]] * info.cut + [ALERTS["clip_bounded"]] * (info.bounded and not info.going_on)
        said += [ALERTS["clip_going_on"]] * info.going_on
        said += [ALERTS["clip_stays"].format(why=info.stays)] * bool(info.stays)
        # With its end in the address a clip that was made anew is loaded anew.
        path = f"/pictures/{alert.id}/clip.mp4?until={info.until_ms}"
        return {"path": path, "said": " · ".join(said), "soon": False}
    if info is not None:
        return {"path": "", "said": ALERTS["clip_none"].format(reason=info.reason), "soon": False}
    config = desk.config.evidence
    over = alert.state == "end"
    soon = config.clips and desk.now_ms() < window_of(alert, config).until_ms + CLIP_PATIENCE_MS
    word = "off" if not config.clips else "making" if soon and over else "waits" if soon else "never"
    return {"path": "", "said": ALERTS[f"clip_{word}"], "soon": soon}


def _silence(desk: Desk, alert: Alert) -> dict[str, Any] | None:
    """What this alert's answer silences: by which id it is taken back, until when, in which hours, of which model."""
    found = desk.parts.silences.of_alert(alert.id)
    if found is None:
        return None
    hours = f"{found.body.hours.from_}–{found.body.hours.until}"
    return {"id": found.body.id, "until_ms": found.body.until_ms, "hours": hours, "model": found.body.model}


def _missed(desk: Desk, alert: Alert) -> str:
    missed = desk.parts.evidence.missed(alert)
    return ALERTS["missed"].format(reason=missed.reason.replace("_", " ")) if missed else ""
