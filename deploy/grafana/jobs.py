"""What the dashboards of the stream show: the jobs, and their models."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from panels import Item, board, lines, number, quantiles, rows_of, share


def stream() -> Dashboard:
    """How fast and how well the jobs work."""
    return board("stream", "stream", "The jobs: waiting, latency, Flink's state.", *_totals(), *_waiting(), *_flink())


def _totals() -> list[Item]:
    return [
        number(
            "Behind", "max(vedette:lag_seconds:sum{here}) or vector(0)", unit="s", limits=(5, 10), runbook="LagHigh"
        ),
        number(
            "Late frames, 1 h",
            "max(vedette:late_frames:ratio_rate1h{here})",
            unit="percentunit",
            limits=(0.01, 0.144),
            runbook="LatencyBudgetBurnsFast",
        ),
        number(
            "Late frames, 6 h",
            "max(vedette:late_frames:ratio_rate6h{here})",
            unit="percentunit",
            limits=(0.01, 0.06),
            runbook="LatencyBudgetBurnsSlowly",
        ),
        number(
            "Restarts, 10 min",
            "sum(vedette:task_restarts:increase10m{here}) or vector(0)",
            limits=(1, 3),
            runbook="TaskRestarts",
        ),
        number(
            "Dead letters, 10 min",
            "sum(vedette:dead_letters:increase10m{here}) or vector(0)",
            limits=(1, 10),
            runbook="DeadLetters",
        ),
        number("Parts silent", 'count(up{here, job!="agent"} == 0) or vector(0)', limits=(1, 1), runbook="PartSilent"),
    ]


def _waiting() -> list[Item]:
    return [
        lines(
            "Seconds of work that wait",
            ("vedette:lag_seconds:sum{here}", "{{job}}"),
            unit="s",
            limits=(5, 10),
            runbook="LagHigh",
        ),
        lines("Records that wait", ("vedette:pending_records:sum{here}", "{{job}}"), runbook="LagHigh"),
        lines(
            "Share of late frames (over 0.5 s)",
            ("vedette:late_frames:ratio_rate5m{here}", "5 min"),
            ("vedette:late_frames:ratio_rate1h{here}", "1 h"),
            ("vedette:late_frames:ratio_rate6h{here}", "6 h"),
            unit="percentunit",
            limits=(0.01, 0.144),
            runbook="LatencyBudgetBurnsFast",
        ),
        lines(
            "From the shutter to the alert",
            *quantiles("vedette_capture_to_alert_seconds"),
            unit="s",
            limits=(0.12, 0.5),
        ),
        lines("A frame in detect", *quantiles("vedette_detect_seconds"), unit="s", width=8),
        lines("A frame in decide", *quantiles("vedette_decide_seconds"), unit="s", width=8),
        lines(
            "Frames seen before",
            ("sum(rate(vedette_frames_replayed_total{here}[$__rate_interval]))", "again"),
            unit="reqps",
            about="Repeats of agents and restarts, dropped by their place.",
            width=8,
        ),
    ]


def _flink() -> list[Item]:
    return [
        Row("Flink"),
        lines(
            "Busy",
            (
                "max by (job, task_name) (flink_taskmanager_job_task_busyTimeMsPerSecond{here}) / 1000",
                "{{job}} {{task_name}}",
            ),
            unit="percentunit",
            limits=(0.7, 0.95),
            runbook="LagHigh",
        ),
        lines(
            "Held up by the next task",
            (
                "max by (job, task_name) (flink_taskmanager_job_task_backPressuredTimeMsPerSecond{here}) / 1000",
                "{{job}} {{task_name}}",
            ),
            unit="percentunit",
            limits=(0.3, 0.7),
            runbook="LagHigh",
        ),
        lines(
            "Checkpoints that failed, 10 min",
            ("sum by (job) (increase(flink_jobmanager_job_numberOfFailedCheckpoints{here}[10m]))", "{{job}}"),
            limits=(1, 3),
            runbook="CheckpointsFailing",
            width=8,
        ),
        lines(
            "A checkpoint takes",
            ("max by (job) (flink_jobmanager_job_lastCheckpointDuration{here}) / 1000", "{{job}}"),
            unit="s",
            limits=(10, 60),
            runbook="CheckpointsFailing",
            width=8,
        ),
        lines(
            "A checkpoint holds",
            ("max by (job) (flink_jobmanager_job_lastCheckpointSize{here})", "{{job}}"),
            unit="bytes",
            width=8,
        ),
        lines(
            "Tasks started again, 10 min",
            ("vedette:task_restarts:increase10m{here}", "{{task}}"),
            limits=(1, 3),
            runbook="TaskRestarts",
        ),
        lines(
            "Dead letters, 10 min",
            ("vedette:dead_letters:increase10m{here}", "{{source}}"),
            limits=(1, 10),
            runbook="DeadLetters",
        ),
    ]


def models() -> Dashboard:
    """What the models cost, and what operators say of what they see."""
    return board(
        "models", "models", "The models in service, their speed, and operators' verdicts on the alerts.", *_in_service()
    )


def _in_service() -> list[Item]:
    return [
        rows_of("In service", "vedette_model_info{here} == 1", width=12),
        lines(
            "Taken over or refused",
            ("sum by (outcome) (increase(vedette_model_swaps_total{here}[$__rate_interval]))", "{{outcome}}"),
            runbook="ModelRefused",
        ),
        lines(
            "Frames that a model failed on",
            (
                "sum by (name, version) (increase(vedette_model_errors_total{here}[$__rate_interval]))",
                "{{name}}@{{version}}",
            ),
            runbook="ModelFails",
            width=8,
        ),
        lines(
            "A candidate's differences, by camera and label",
            (
                "sum by (camera, label, change) (increase(vedette_model_differences_total{here}[$__rate_interval]))",
                "{{camera}} {{label}} {{change}}",
            ),
            about="Boxes on the frames that candidate and model in service both looked at.",
            runbook="ModelTakenBack",
            width=8,
        ),
        lines(
            "Frames that were to be compared",
            (
                "sum by (outcome) (increase(vedette_model_compared_frames_total{here}[$__rate_interval]))",
                "{{outcome}}",
            ),
            about="Dropped ones had no time: frames on their way go first.",
            width=8,
        ),
        lines("One run of the detector", *quantiles("vedette_inference_seconds"), unit="s", width=8),
        lines("Frames in one run", *quantiles("vedette_inference_batch_size"), width=8),
        lines(
            "Runs",
            ("sum by (job) (rate(vedette_inference_seconds_count{here}[$__rate_interval]))", "{{job}}"),
            unit="ops",
            width=8,
        ),
        lines("Faces of a full-size frame", *quantiles("vedette_faces_seconds"), unit="s"),
        lines(
            "Verdicts",
            ("sum by (verdict) (increase(vedette_verdicts_total{here}[1h]))", "{{verdict}}"),
            about="In the hour before.",
        ),
        lines(
            "Share of alerts that were none, by rule",
            share("vedette_verdicts_total", "rule", 'verdict!="true"', "$__range"),
            unit="percentunit",
            limits=(0.3, 0.6),
            about="Answered false or nuisance, of all that were answered in the time that is shown.",
            width=24,
        ),
    ]
