"""What the dashboards about people show: who is recognised, and what operators have to do."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import Item, board, lines, number, quantiles, rate, share, states


def identification() -> Dashboard:
    """Who is recognised, and what stops it."""
    return board(
        "identification",
        "identification",
        "Faces: looked at, held against the gallery, dropped.",
        *_gallery(),
        *_matches(),
        cameras=True,
    )


def _gallery() -> list[Item]:
    return [
        number("People enrolled", "max(vedette_gallery_people{here})", width=6),
        number("Unknown people remembered", "max(vedette_unknown_people{here})", width=6),
        number(
            "A change arrives within, p95",
            "histogram_quantile(0.95, sum by (le) (rate(vedette_gallery_change_seconds_bucket{here}[1h])))",
            unit="s",
            limits=(0.5, 1),
            runbook="ConsoleOutboxGrowing",
            width=6,
        ),
        number(
            "Dropped, 10 min",
            "sum(vedette:faces_dropped:increase10m{here}) or vector(0)",
            limits=(1, 100),
            runbook="FaceVectorsDropped",
            width=6,
        ),
    ]


def _matches() -> list[Item]:
    return [
        lines("Faces looked at", rate("vedette_faces_seen_total", "camera", "camera"), unit="ops"),
        lines("Tracks held against the gallery", rate("vedette_face_tests_total", "decision", "camera"), unit="ops"),
        lines(
            "Operators' word on who it was, in the hour before",
            ("sum by (answer) (increase(vedette_identity_answers_total{here}[1h]))", "{{answer}}"),
            about="not_person: a false match. is_person: a miss, enrolled with one picture more.",
        ),
        lines(
            "False matches and misses, as operators said",
            (_answered("not_person", "identified"), "false matches of tracks identified"),
            (_answered("is_person", "unknown"), "misses of tracks unknown"),
            unit="percentunit",
            limits=(0.01, 0.05),
            about="In the time that is shown. At least: who isn't looked at isn't answered.",
        ),
        lines(
            "Share of tracks that are somebody",
            share("vedette_face_tests_total", "camera", 'decision="identified"', "1h", "camera"),
            unit="percentunit",
            about="A rise without new people means false matches; a fall means misses: lens, angle, light.",
        ),
        lines(
            "Not kept or used, 10 min",
            ("vedette:faces_dropped:increase10m{here}", "{{job}} {{reason}}"),
            limits=(1, 100),
            runbook="FaceVectorsDropped",
        ),
        lines("Faces of a full-size frame", *quantiles("vedette_faces_seconds"), unit="s"),
        lines(
            "Changes of the gallery",
            ("sum(rate(vedette_gallery_changes_total{here}[$__rate_interval]))", "changes"),
            unit="ops",
        ),
    ]


def _answered(answer: str, decision: str) -> str:
    said = f'sum(increase(vedette_identity_answers_total{{here, answer="{answer}"}}[$__range]))'
    return f'{said} / sum(increase(vedette_face_tests_total{{here, decision="{decision}"}}[$__range]))'


def operators() -> Dashboard:
    """What people have to do, and whether they are reached."""
    return board(
        "operators",
        "operators' load",
        "Alerts that wait, answers, notifications.",
        *_totals(),
        *_alerts(),
        *_reached(),
        *_archive(),
    )


def _totals() -> list[Item]:
    return [
        number("Open", "sum(vedette_open_alerts{here})", limits=(20, 100), width=6),
        number(
            "Open, high and critical",
            'sum(vedette_open_alerts{here, severity=~"high|critical"})',
            limits=(1, 10),
            width=6,
        ),
        number(
            "New alerts, 1 h",
            'sum(increase(vedette_console_alerts_total{here, state="new"}[1h]))',
            limits=(12, 60),
            width=6,
        ),
        number(
            "Escalated, 1 h", "sum(increase(vedette_escalations_total{here}[1h])) or vector(0)", limits=(1, 5), width=6
        ),
    ]


def _alerts() -> list[Item]:
    return [
        lines("Open alerts", ("sum by (severity) (vedette_open_alerts{here})", "{{severity}}")),
        lines(
            "New alerts, in the hour before",
            ('sum by (severity) (increase(vedette_console_alerts_total{here, state="new"}[1h]))', "{{severity}}"),
        ),
        lines(
            "Until somebody acknowledges",
            *quantiles("vedette_time_to_acknowledge_seconds", shares=(0.5, 0.9)),
            unit="s",
            limits=(60, 300),
        ),
        lines(
            "Verdicts, in the hour before",
            ("sum by (verdict) (increase(vedette_verdicts_total{here}[1h]))", "{{verdict}}"),
        ),
    ]


def _reached() -> list[Item]:
    return [
        Row("On the way to people"),
        lines(
            "From the decision to the console",
            *quantiles("vedette_alert_to_console_seconds"),
            unit="s",
            limits=(0.5, 2),
            width=8,
        ),
        lines(
            "Answers that wait for the broker",
            ("vedette_console_outbox{here}", "records"),
            limits=(10, 100),
            runbook="ConsoleOutboxGrowing",
            width=8,
        ),
        lines(
            "Notifications that wait",
            ("vedette_notifications_waiting{here}", "{{channel}}"),
            limits=(5, 50),
            runbook="NotificationChannelDown",
            width=8,
        ),
        states(
            "Channels",
            ("vedette_notification_channel_up{here}", "{{channel}}"),
            runbook="NotificationChannelDown",
            width=12,
        ),
        lines("Notifications by what became of them", rate("vedette_notifications_total", "outcome"), unit="ops"),
    ]


def _archive() -> list[Item]:
    return [
        Row("Evidence and history"),
        lines("Pictures and clips kept", rate("vedette_evidence_written_total", "kind"), unit="ops", width=8),
        lines(
            "Missed, 10 min",
            ("vedette:evidence_missed:increase10m{here}", "{{reason}}"),
            limits=(1, 10),
            runbook="EvidenceMissed",
            width=8,
        ),
        lines("Clips that wait", ("vedette_clips_waiting{here}", "clips"), limits=(20, 100), width=8),
        lines("A clip takes", *quantiles("vedette_clip_seconds"), unit="s", width=8),
        lines("Evidence let go", rate("vedette_evidence_deleted_total", "kept_as"), unit="ops", width=8),
        lines("Rows of history", rate("vedette_history_rows_total", "kind"), unit="ops", width=8),
    ]
