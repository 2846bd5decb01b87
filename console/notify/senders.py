"""The way out: what each kind of channel makes of a parcel, and sends."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import apprise
import msgspec
import requests
from apprise.attachment.memory import AttachMemory

from console.notify.parcel import Parcel
from console.notify.signing import sign
from console.secrets import Secrets
from contracts.config import AlertmanagerChannel, AppriseChannel, Channel, WebhookChannel
from contracts.console_check import channel_secrets
from contracts.errors import VedetteError
from contracts.fields import Severity
from contracts.messages import Alert

BUSY = (408, 425, 429)
"""Answers below 500 after which the same request may do better."""
MAX_SAID = 300
ALIVE = 4
"""An alert is over for Alertmanager when it isn't told again within so many `repeat_s`: Prometheus's own factor."""

_TYPES: dict[Severity, apprise.NotifyType] = {
    "critical": apprise.NotifyType.FAILURE,
    "high": apprise.NotifyType.FAILURE,
    "medium": apprise.NotifyType.WARNING,
    "low": apprise.NotifyType.INFO,
    "info": apprise.NotifyType.INFO,
}

# What Apprise logs may hold the address with its secrets: it is taken into the errors here, and redacted with them.
logging.getLogger("apprise").propagate = False


class DeliveryError(VedetteError):
    """A channel did not take a parcel. `refused`: nor will it take this one later."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Sender(Protocol):
    """One channel's way out. Blocks, for no longer than the channel's timeouts."""

    def deliver(self, parcel: Parcel, now_ms: int) -> None:
        """Hand it over; raises DeliveryError."""


def open_sender(name: str, channel: Channel, secrets: Secrets, *, site: str, address: str) -> Sender:
    """The sender of a channel; raises ConfigError where a secret is missing, or Apprise knows no such address."""
    path = f"console.notifications.channels.{name}"
    filled = {
        key: secrets.fill(text, f"{path}.{key}", in_url=key == "url") for key, text in channel_secrets(channel).items()
    }
    match channel:
        case AppriseChannel():
            return AppriseSender(filled["url"], channel.timeout_s, picture=channel.snapshot)
        case WebhookChannel():
            return WebhookSender(filled["url"], filled["secret"], channel.timeout_s, source=f"/vedette/{site}")
        case AlertmanagerChannel():
            return AlertmanagerSender(filled["url"], filled["token"], channel, address)


class AppriseSender:
    """Mail, chats and whatever else Apprise knows."""

    def __init__(self, url: str, timeout_s: float, *, picture: bool) -> None:
        self._service = apprise.Apprise.instantiate(url)
        self._picture = picture
        if self._service is not None:
            self._service.socket_connect_timeout = self._service.socket_read_timeout = timeout_s

    def deliver(self, parcel: Parcel, now_ms: int) -> None:
        """See Sender."""
        if self._service is None:
            raise DeliveryError("Apprise does not know this address, or something is missing in it")
        picture = parcel.picture if self._picture and self._service.attachment_support else None
        kind = apprise.NotifyType.SUCCESS if parcel.event == "end" else _TYPES[parcel.severity]
        post = apprise.Apprise()
        post.add(self._service)
        with _complaints() as said:
            sent = post.notify(
                parcel.text,
                title=parcel.title,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
                attach=_attached(picture) if picture is not None else None,
            )
        if not sent:
            raise DeliveryError(" ".join(said)[:MAX_SAID] or "Apprise could not deliver it, and did not say why")


def _attached(picture: bytes) -> AttachMemory:
    return AttachMemory(picture, name="snapshot.jpg", mimetype="image/jpeg")  # type: ignore[no-untyped-call]


class WebhookSender:
    """A CloudEvent to a web address, signed."""

    def __init__(self, url: str, secret: str, timeout_s: float, *, source: str) -> None:
        self._url, self._secret, self._timeout_s, self._source = url, secret, timeout_s, source

    def deliver(self, parcel: Parcel, now_ms: int) -> None:
        """See Sender."""
        body = msgspec.json.encode(self._event(parcel))
        headers = {"Content-Type": "application/cloudevents+json"} | sign(self._secret, parcel.id, now_ms, body)
        _post(self._url, body, headers, self._timeout_s)

    def _event(self, parcel: Parcel) -> dict[str, Any]:
        cameras = {one.camera for one in parcel.alerts}
        return {
            "specversion": "1.0",
            "id": parcel.id,
            "source": self._source,
            "type": f"org.vedette.notification.{parcel.event}",
            "time": _time(parcel.at_ms),
            "datacontenttype": "application/json",
            **({"subject": cameras.pop()} if len(cameras) == 1 else {}),
            "data": {
                "title": parcel.title,
                "text": parcel.text,
                "severity": parcel.severity,
                "link": parcel.link,
                "alerts": parcel.alerts,
            },
        }


class AlertmanagerSender:
    """Alertmanager's API v2: alerts that fire, and that are over."""

    def __init__(self, url: str, token: str, channel: AlertmanagerChannel, address: str) -> None:
        self._url = url.rstrip("/") + "/api/v2/alerts"
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._timeout_s, self._alive_ms = channel.timeout_s, round(ALIVE * channel.repeat_s * 1000)
        self._address = address

    def deliver(self, parcel: Parcel, now_ms: int) -> None:
        """See Sender."""
        told = [self._told(one, now_ms) for one in parcel.alerts] or [self._test(parcel, now_ms)]
        _post(self._url, msgspec.json.encode(told), self._headers, self._timeout_s)

    def _told(self, alert: Alert, now_ms: int) -> dict[str, Any]:
        labels = {
            "alertname": alert.rule,
            "severity": alert.severity,
            "site": alert.site,
            "camera": alert.camera,
            "zone": alert.zone,
            "kind": alert.kind,
            "label": alert.label,
            "alert": alert.id,
        }
        ends_at_ms = (alert.ended_at_ms or alert.at_ms) if alert.state == "end" else now_ms + self._alive_ms
        return {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": {"summary": alert.why, "instructions": alert.instructions},
            "startsAt": _time(alert.started_at_ms),
            "endsAt": _time(max(ends_at_ms, alert.started_at_ms)),
            "generatorURL": f"{self._address}/?alert={alert.id}",
        }

    def _test(self, parcel: Parcel, now_ms: int) -> dict[str, Any]:
        return {
            "labels": {"alertname": "VedetteTest", "severity": "info", "alert": parcel.id},
            "annotations": {"summary": parcel.title},
            "startsAt": _time(parcel.at_ms),
            "endsAt": _time(now_ms + 60_000),
            "generatorURL": parcel.link,
        }


def _post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> None:
    """POST, and read no more than MAX_SAID bytes of the answer. A redirect is an error: what is sent is for `url`."""
    try:
        with requests.post(
            url, data=body, headers=dict(headers), timeout=timeout_s, allow_redirects=False, stream=True
        ) as answer:
            if 200 <= answer.status_code < 300:
                return
            said = next(answer.iter_content(MAX_SAID), b"").decode(errors="replace")
    except requests.RequestException as error:
        raise DeliveryError(_why(error, timeout_s)) from error
    refused = answer.status_code < 500 and answer.status_code not in BUSY
    raise DeliveryError(f"answered {answer.status_code}: {said.strip()}".rstrip(": "), refused=refused)


def _why(error: requests.RequestException, timeout_s: float) -> str:
    """In a person's words; what the libraries say of it is a sentence of class names."""
    if isinstance(error, requests.Timeout):
        return f"no answer within {timeout_s:g} s"
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.strerror):
        cause = cause.__cause__ or cause.__context__
    said = cause.strerror if isinstance(cause, OSError) else str(error)
    return f"can't be reached: {said}"[:MAX_SAID]


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What Apprise says of its own troubles in this thread meanwhile."""
    said: list[str] = []
    mine = threading.get_ident()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == mine:
                said.append(record.getMessage())

    handler, logger = Keep(logging.WARNING), logging.getLogger("apprise")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def _time(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")
