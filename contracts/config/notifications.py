"""Whom the console tells of alerts: channels by name, and the routes that choose among them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.config.base import Name, NonNegative, Period, Positive, Spec
from contracts.fields import Severity

NotifyEvent = Literal["new", "escalated", "end"]


class ChannelBase(Spec, frozen=True, kw_only=True, tag_field="kind"):
    """What every channel has. What it can't deliver is tried again for `give_up_s`."""

    enabled: bool = True
    timeout_s: Positive = 10.0
    give_up_s: Positive = 86_400.0


class AppriseChannel(ChannelBase, frozen=True, kw_only=True, tag="apprise"):
    """One address of Apprise: mailtos://, slack://, msteams://, tgram://, mqtt:// ...; secrets stand as {ENV_NAME}.

    More than `max_per_minute` messages within a minute are collected for `digest_s` and become one. `snapshot` is
    attached where the service takes pictures.
    """

    url: str
    snapshot: bool = True
    max_per_minute: Annotated[int, Meta(ge=1, le=10_000)] = 6
    digest_s: Positive = 60.0


class WebhookChannel(ChannelBase, frozen=True, kw_only=True, tag="webhook"):
    """CloudEvents as JSON to `url`, signed with `secret` ({ENV_NAME}) as Standard Webhooks says; digests as above."""

    url: str
    secret: str
    max_per_minute: Annotated[int, Meta(ge=1, le=10_000)] = 600
    digest_s: Positive = 60.0


class AlertmanagerChannel(ChannelBase, frozen=True, kw_only=True, tag="alertmanager"):
    """Alertmanager's API v2 at `url`. It groups by itself; what goes on is told again every `repeat_s`, as it asks for.

    `token` ({ENV_NAME}) is sent as a bearer token.
    """

    url: str
    token: str = ""
    repeat_s: Positive = 60.0


Channel = AppriseChannel | WebhookChannel | AlertmanagerChannel


class Route(Spec, frozen=True, kw_only=True):
    """Which alerts go to which channels. Empty lists mean all; outside `schedule` the route is not there.

    Alerts of a camera that follow each other by less than `group_s` are one incident and one message (a graver one is
    told again); of one rule and camera there is one message in `cooldown_s`. In `quiet_hours` only severities of
    `quiet_except` are told. Routes are tried in order; the first that fits is the last, unless it says `continue`.
    """

    channels: tuple[Name, ...]
    severities: tuple[Severity, ...] = ()
    cameras: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    events: tuple[NotifyEvent, ...] = ("new", "escalated")
    schedule: tuple[Period, ...] = ()
    quiet_hours: tuple[Period, ...] = ()
    quiet_except: tuple[Severity, ...] = ("critical",)
    group_s: NonNegative = 120.0
    cooldown_s: NonNegative = 300.0
    continue_: bool = msgspec.field(name="continue", default=False)


class Notifications(Spec, frozen=True, kw_only=True):
    """Channels by name and the routes to them. Alerts that come later than `max_age_s` are told to nobody."""

    channels: dict[Name, Channel] = {}
    routes: tuple[Route, ...] = ()
    max_age_s: Positive = 3600.0
