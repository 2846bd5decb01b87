"""Every Prometheus metric of Vedette, declared once: dashboards and alert rules are tested against this list."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS = (
    0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0, 60.0,
)  # fmt: skip
WAITING_BUCKETS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0, 86_400.0)
SHIFT_BUCKETS = (-0.5, -0.2, -0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
BATCH_BUCKETS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True)
class Metric:
    """One metric: Prometheus name, what it says, its kind and labels."""

    name: str
    help: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = LATENCY_BUCKETS


FRAMES_CAPTURED = Metric("vedette_frames_captured_total", "Pictures read from a camera", "counter", ("camera",))
FRAMES_SENT = Metric("vedette_frames_sent_total", "Frames acknowledged by the broker", "counter", ("camera", "lane"))
FRAMES_GATED = Metric("vedette_frames_gated_total", "Pictures that were not worth sending", "counter", ("camera",))
FRAMES_SPOOLED = Metric("vedette_frames_spooled_total", "Frames written to the spool", "counter", ("camera",))
FRAMES_DROPPED = Metric(
    "vedette_frames_dropped_total", "Accepted frames that were given up", "counter", ("camera", "reason")
)
SPOOL_BYTES = Metric("vedette_spool_bytes", "Bytes that wait in the spool", "gauge")
CAMERA_UP = Metric("vedette_camera_up", "1 while the camera delivers", "gauge", ("camera",))
CAMERA_RECONNECTS = Metric("vedette_camera_reconnects_total", "Attempts to open a camera again", "counter", ("camera",))
DISK_FREE = Metric("vedette_disk_free_bytes", "Free on the disk that a part writes to", "gauge", ("store",))
DISK_SIZE = Metric("vedette_disk_size_bytes", "Size of the disk that a part writes to", "gauge", ("store",))
CLOCK_OFFSET = Metric("vedette_clock_offset_seconds", "Agent's clock minus the broker's", "gauge")
CERTIFICATE_EXPIRES = Metric(
    "vedette_certificate_expires_timestamp_seconds", "When the certificate that an agent enrolled for ends", "gauge"
)
RENEWALS_FAILED = Metric(
    "vedette_certificate_renewals_failed_total", "Times that an agent got no next certificate", "counter"
)
CAPTURE_TO_BROKER = Metric(
    "vedette_capture_to_broker_seconds", "From shutter to the broker's acknowledgement", "histogram", ("camera",)
)
CAPTURE_TO_DETECT = Metric(
    "vedette_capture_to_detect_seconds", "From shutter to the detector's result, live lane", "histogram", ("camera",)
)
DETECT = Metric("vedette_detect_seconds", "Decode, inference and looks of one frame", "histogram")
INFERENCE = Metric("vedette_inference_seconds", "One run of the detector's session", "histogram")
BATCH_SIZE = Metric("vedette_inference_batch_size", "Frames in one run of the session", "histogram", (), BATCH_BUCKETS)
DECIDE = Metric("vedette_decide_seconds", "Tracking, rules and alert policy of one frame", "histogram")
CAPTURE_TO_ALERT = Metric(
    "vedette_capture_to_alert_seconds", "From the frame's shutter to its alert, live lane", "histogram", ("camera",)
)
RULES_FIRED = Metric("vedette_rules_fired_total", "Events by rule", "counter", ("camera", "rule"))
EVENTS_SILENCED = Metric(
    "vedette_events_silenced_total", "Events that an operator's answer keeps from being alerts", "counter", ("camera",)
)
ALERTS = Metric("vedette_alerts_total", "Alert revisions by state", "counter", ("camera", "severity", "state"))
DECIDED = Metric("vedette_frames_decided_total", "Frames that decide took", "counter", ("camera",))
REPLAYED = Metric(
    "vedette_frames_replayed_total",
    "Frames that decide passed over: their place is not above the last of their camera and lane",
    "counter",
    ("camera",),
)
RATE_SHARE = Metric(
    "vedette_camera_rate_share", "Share of its own rate that a camera may send, by how late it is", "gauge", ("camera",)
)
DEAD_LETTERS = Metric("vedette_dead_letters_total", "Messages that could not be handled", "counter", ("source",))
TASK_RESTARTS = Metric(
    "vedette_task_restarts_total", "Times that Flink opened a task again after a failure", "counter", ("task",)
)
LATE_RECORDS = Metric("vedette_late_records_total", "Records after their window's close", "counter", ("camera",))
MODEL_INFO = Metric("vedette_model_info", "1 for the model in service", "gauge", ("name", "version"))
MODEL_CANDIDATE = Metric(
    "vedette_model_candidate", "1 for the model that stands beside the one in service", "gauge",
    ("name", "version", "stage"),
)  # fmt: skip
MODEL_SWAPS = Metric("vedette_model_swaps_total", "Models taken over, refused or barred", "counter", ("outcome",))
MODEL_ERRORS = Metric("vedette_model_errors_total", "Frames that a model failed on", "counter", ("name", "version"))
MODEL_COMPARED = Metric(
    "vedette_model_compared_frames_total",
    "Frames to be looked at by candidate and model in service, by what became of them",
    "counter",
    ("camera", "outcome"),
)
MODEL_DIFFERENCES = Metric(
    "vedette_model_differences_total", "Boxes that a candidate gained or lost", "counter", ("camera", "label", "change")
)
MODEL_SHIFT = Metric(
    "vedette_model_confidence_shift", "A candidate's confidence less the other's", "histogram", (), SHIFT_BUCKETS
)
MODEL_SECONDS = Metric("vedette_model_seconds", "Detecting one frame that is compared", "histogram", ("role",))
MODEL_ROLLBACKS = Metric("vedette_model_rollbacks_total", "Candidates that were taken back", "counter", ("reason",))
DRIFT_LEARNT = Metric(
    "vedette_drift_reference_ratio",
    "How much of a camera's reference is learnt, 0 to 1",
    "gauge",
    ("camera", "day_part"),
)
DRIFT_DISTANCE = Metric(
    "vedette_drift_distance", "From the newest block of tracks to the reference", "gauge", ("camera", "day_part", "of")
)
DRIFT_USUAL = Metric(
    "vedette_drift_usual_distance", "From a block of the reference to the others", "gauge", ("camera", "day_part", "of")
)
DRIFT_EVIDENCE = Metric(
    "vedette_drift_evidence", "The odds against nothing having changed", "gauge", ("camera", "day_part", "of")
)
DRIFTED = Metric(
    "vedette_drifted", "1 while a camera shows other things than its reference", "gauge", ("camera", "day_part", "of")
)
CLASSIFIED = Metric("vedette_classifier_seconds", "One classifier's looks at one full-size frame", "histogram")
CLASSIFIED_BOXES = Metric(
    "vedette_classified_boxes_total", "Boxes that a classifier looked at", "counter", ("camera", "attribute")
)
FACES_SEEN = Metric("vedette_faces_seen_total", "Faces that were looked at", "counter", ("camera",))
FACES = Metric("vedette_faces_seconds", "Full decoding and all faces of one full-size frame", "histogram")
FACES_DROPPED = Metric(
    "vedette_faces_dropped_total", "Looks at faces whose vector could not be kept or used", "counter", ("reason",)
)
FACE_TESTS = Metric("vedette_face_tests_total", "Tracks held against the gallery", "counter", ("camera", "decision"))
GALLERY_PEOPLE = Metric("vedette_gallery_people", "People whom tracks are held against", "gauge")
GALLERY_CHANGES = Metric("vedette_gallery_changes_total", "Changes of who is enrolled that were applied", "counter")
GALLERY_CHANGE = Metric(
    "vedette_gallery_change_seconds", "From a change of who is enrolled to the gallery that has it", "histogram"
)
UNKNOWN_PEOPLE = Metric("vedette_unknown_people", "Unknown people who are remembered", "gauge")
EVIDENCE_WRITTEN = Metric("vedette_evidence_written_total", "Pictures kept for alerts", "counter", ("kind",))
EVIDENCE_MISSED = Metric("vedette_evidence_missed_total", "Alerts whose frame or clip was gone", "counter", ("reason",))
EVIDENCE_HIDDEN = Metric(
    "vedette_evidence_hidden_total",
    "Pictures of cameras that anonymise that are hidden whole: nobody knew where their people are",
    "counter",
    ("camera",),
)
EVIDENCE_DELETED = Metric("vedette_evidence_deleted_total", "Alerts whose evidence was old", "counter", ("kept_as",))
CLIPS_WAITING = Metric("vedette_clips_waiting", "Alerts whose clip is not made yet", "gauge")
CLIP = Metric("vedette_clip_seconds", "Reading and encoding one clip", "histogram", (), WAITING_BUCKETS)
HISTORY_ROWS = Metric("vedette_history_rows_total", "Rows kept of what was seen", "counter", ("kind",))
CONSOLE_ALERTS = Metric("vedette_console_alerts_total", "Alert revisions kept", "counter", ("severity", "state"))
ALERT_TO_CONSOLE = Metric("vedette_alert_to_console_seconds", "From the decision to the console's store", "histogram")
OPEN_ALERTS = Metric(
    "vedette_open_alerts", "Alerts that nobody has acknowledged (1000: or more)", "gauge", ("severity",)
)
TIME_TO_ACKNOWLEDGE = Metric(
    "vedette_time_to_acknowledge_seconds",
    "From an alert's arrival to its acknowledgement",
    "histogram",
    ("severity",),
    WAITING_BUCKETS,
)
ESCALATIONS = Metric("vedette_escalations_total", "Alerts that were escalated", "counter", ("severity",))
VERDICTS = Metric("vedette_verdicts_total", "Operators' verdicts on alerts", "counter", ("rule", "verdict"))
IDENTITY_ANSWERS = Metric(
    "vedette_identity_answers_total", "Operators' word on who an alert is about", "counter", ("answer",)
)
AGENT_REPORTED = Metric(
    "vedette_agent_report_timestamp_seconds",
    "When the console last heard an agent (0: not since the console's start)",
    "gauge",
    ("agent",),
)
AGENT_CAMERAS = Metric("vedette_agent_cameras", "Cameras that an agent says it reads", "gauge", ("agent",))
AGENT_SPOOL = Metric(
    "vedette_agent_spool_bytes", "Bytes that wait in an agent's spool, as it says", "gauge", ("agent",)
)
AGENT_OUTDATED = Metric(
    "vedette_agent_outdated", "1 while an agent runs another version than the console", "gauge", ("agent", "version")
)
AGENT_CERTIFICATE = Metric(
    "vedette_agent_certificate_expires_timestamp_seconds",
    "When the certificate ends that the console gave an agent",
    "gauge",
    ("agent",),
)
AGENTS_REFUSED = Metric(
    "vedette_agents_refused_total", "Requests of agents for a certificate that were refused", "counter", ("asked",)
)
CAMERA_READERS = Metric(
    "vedette_camera_readers",
    "Agents that say they read a camera: one is right. `agent` is the one that the config names",
    "gauge",
    ("camera", "agent"),
)
CONSOLE_OUTBOX = Metric("vedette_console_outbox", "Records that wait for the broker", "gauge")
NOTIFICATIONS = Metric(
    "vedette_notifications_total", "Notifications by what became of them", "counter", ("channel", "outcome")
)
NOTIFICATIONS_WAITING = Metric(
    "vedette_notifications_waiting", "Notifications that a channel has not taken yet", "gauge", ("channel",)
)
NOTIFICATION_CHANNEL_UP = Metric("vedette_notification_channel_up", "0 while a channel fails", "gauge", ("channel",))

ALL: tuple[Metric, ...] = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))


class Metrics:
    """The metrics of one process, made on first use in `registry`, by whichever thread is first."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._lock = threading.Lock()
        self._made: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, metric: Metric, *labels: str) -> Counter:
        """The counter of these label values."""
        made = self._make(metric)
        assert isinstance(made, Counter)
        return made.labels(*labels) if labels else made

    def gauge(self, metric: Metric, *labels: str) -> Gauge:
        """The gauge of these label values."""
        made = self._make(metric)
        assert isinstance(made, Gauge)
        return made.labels(*labels) if labels else made

    def histogram(self, metric: Metric, *labels: str) -> Histogram:
        """The histogram of these label values."""
        made = self._make(metric)
        assert isinstance(made, Histogram)
        return made.labels(*labels) if labels else made

    def _make(self, metric: Metric) -> Counter | Gauge | Histogram:
        if metric.name not in self._made:
            with self._lock:  # a registry refuses a metric that is there already
                if metric.name not in self._made:
                    self._made[metric.name] = _new(metric, self.registry)
        return self._made[metric.name]


def watch_disk(made: Metrics, store: str, folder: Path) -> None:
    """Show how full the disk is that `folder` (which is there) is on, at the moment that somebody asks for metrics."""
    made.gauge(DISK_FREE, store).set_function(lambda: disk_usage(folder).free)
    made.gauge(DISK_SIZE, store).set_function(lambda: disk_usage(folder).total)


def _new(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.help, metric.labels, registry=registry)
    return Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)
