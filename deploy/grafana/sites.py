"""What the dashboards of a site's edge show: all agents and cameras, and one camera."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import Item, board, lines, number, quantiles, rate, rows_of, states


def fleet() -> Dashboard:
    """Is everything there, and does everything arrive?"""
    return board(
        "fleet",
        "fleet",
        "Agents and cameras of all sites, and what is wrong now.",
        *_totals(),
        *_wrong_now(),
        *_agents(),
    )


def _totals() -> list[Item]:
    return [
        number("Agents silent", 'count(up{here, job="agent"} == 0) or vector(0)', limits=(1, 1), runbook="AgentSilent"),
        number("Cameras", "count(vedette_camera_up{here})"),
        number("Cameras down", "count(vedette_camera_up{here} == 0) or vector(0)", limits=(1, 3), runbook="CameraDown"),
        number("Frames sent", "sum(rate(vedette_frames_sent_total{here}[$__rate_interval]))", unit="reqps"),
        number(
            "Frames lost, 10 min",
            "sum(vedette:frames_dropped:increase10m{here}) or vector(0)",
            limits=(1, 1),
            runbook="FramesDropped",
        ),
        number(
            "In spools", "sum(vedette_spool_bytes{here})", unit="bytes", limits=(64e6, 512e6), runbook="SpoolGrowing"
        ),
    ]


def _wrong_now() -> list[Item]:
    return [
        rows_of(
            "Firing now",
            'ALERTS{here, alertstate="firing", part!=""}',
            about="Alerts of deploy/prometheus/rules.yaml.",
        ),
        states("Cameras that deliver", ("vedette_camera_up{here}", "{{camera}}"), runbook="CameraDown"),
    ]


def _agents() -> list[Item]:
    return [
        Row("Agents"),
        lines("Spool", ("vedette_spool_bytes{here}", "{{instance}}"), unit="bytes", runbook="SpoolGrowing"),
        lines(
            "Agent's clock minus the broker's",
            ("vedette_clock_offset_seconds{here}", "{{instance}}"),
            unit="s",
            limits=(5, 60),
            runbook="ClockOffset",
        ),
        lines(
            "Frames given up",
            ("vedette:frames_dropped:increase10m{here}", "{{camera}} {{reason}}"),
            limits=(1, 1),
            runbook="FramesDropped",
        ),
        lines(
            "Cameras opened again", rate("vedette_camera_reconnects_total", "camera"), unit="ops", runbook="CameraDown"
        ),
    ]


def camera() -> Dashboard:
    """One camera from its picture to its alerts."""
    return board(
        "camera",
        "camera",
        "What becomes of a camera's pictures.",
        *_pictures(),
        *_latency(),
        *_seen(),
        cameras=True,
    )


def _pictures() -> list[Item]:
    return [
        states("Delivers", ("vedette_camera_up{camera}", "{{camera}}"), runbook="CameraDown"),
        lines("Pictures read", rate("vedette_frames_captured_total", "camera", "camera"), unit="reqps"),
        lines(
            "Not worth sending",
            rate("vedette_frames_gated_total", "camera", "camera"),
            unit="reqps",
            about="The motion gate.",
        ),
        lines(
            "Sent, by lane",
            rate("vedette_frames_sent_total", "lane", "camera"),
            unit="reqps",
            about="late: out of the spool",
        ),
        lines(
            "Written to the spool",
            rate("vedette_frames_spooled_total", "camera", "camera"),
            unit="reqps",
            runbook="SpoolGrowing",
        ),
    ]


def _latency() -> list[Item]:
    return [
        Row("From the shutter on, live lane"),
        lines(
            "To the broker",
            *quantiles("vedette_capture_to_broker_seconds", "camera"),
            unit="s",
            limits=(0.25, 0.5),
            width=8,
        ),
        lines(
            "To the boxes",
            *quantiles("vedette_capture_to_detect_seconds", "camera", (0.5, 0.95, 0.99)),
            unit="s",
            limits=(0.25, 0.5),
            runbook="LatencyBudgetBurnsFast",
            width=8,
        ),
        lines(
            "To the alert",
            *quantiles("vedette_capture_to_alert_seconds", "camera"),
            unit="s",
            limits=(0.25, 0.5),
            width=8,
        ),
    ]


def _seen() -> list[Item]:
    return [
        Row("What was seen"),
        lines("Rules fired", rate("vedette_rules_fired_total", "rule", "camera"), unit="ops"),
        lines("New alerts", rate("vedette_alerts_total", "severity", 'camera, state="new"'), unit="ops"),
        lines("Faces looked at", rate("vedette_faces_seen_total", "camera", "camera"), unit="ops"),
        lines("Came after their window", rate("vedette_late_records_total", "camera", "camera"), unit="ops"),
    ]
