"""The archive: where evidence and history are kept and for how long, and what of the time around an alert is a clip."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from contracts.config.base import NonNegative, Positive, Spec
from contracts.fields import Severity


class S3(Spec, frozen=True, kw_only=True):
    """A bucket. `endpoint` is for servers other than Amazon's.

    Who may is said by the environment alone: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or what a
    cluster gives its pods.
    """

    bucket: Annotated[str, Meta(min_length=3, max_length=63)]
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"


class KeepDays(Spec, frozen=True, kw_only=True):
    """How many days evidence is kept after the day of its alert, by what operators answered.

    `severity` says otherwise for alerts that nobody judged. What is held for a case stays whatever stands here.
    """

    confirmed: Positive = 365.0
    unanswered: Positive = 30.0
    nuisance: Positive = 14.0
    false_alarm: Positive = 7.0
    severity: dict[Severity, Positive] = {}


class EvidenceStore(Spec, frozen=True, kw_only=True):
    """Where evidence of alerts is kept, and how long.

    That is `folder` (empty: in the state folder) or `s3`. A clip begins `pre_s` before its alert and ends `post_s`
    after it, but is no longer than `clip_max_s`. An alert that goes on has a first clip of `clip_first_s`, which is
    made anew when it ends. The chain of a day is kept for `keep_chain_days`, so that what was deleted is still
    explained. `metrics_port` is where `vedette up` has its metrics served, for this machine (0: nowhere).
    """

    folder: str = ""
    s3: S3 | None = None
    keep_days: KeepDays = KeepDays()
    keep_chain_days: Positive = 1095.0
    clips: bool = True
    pre_s: NonNegative = 5.0
    post_s: NonNegative = 5.0
    clip_first_s: Positive = 60.0
    clip_max_s: Annotated[float, Meta(gt=0, le=600)] = 300.0
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 0


class History(Spec, frozen=True, kw_only=True):
    """What was seen, as Parquet files, and for how long it is kept.

    They are in `folder` (empty: in the state folder), and also in `s3` where that is given. What is written at once is
    found at once: `write_every_s` is how long a track that is over may wait. `metrics_port` is as evidence's.
    """

    enabled: bool = True
    folder: str = ""
    s3: S3 | None = None
    keep_days: Positive = 90.0
    write_every_s: Positive = 30.0
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 0
