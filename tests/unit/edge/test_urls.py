"""Secrets get in where they belong and out of everything that is shown."""

from __future__ import annotations

import io
import json
import logging
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from contracts.errors import CameraError
from edge import urls
from edge.logs import JsonFormatter
from edge.urls import fill_secrets, redact


@pytest.fixture(autouse=True)
def _nothing_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test filled in is no secret to the next."""
    monkeypatch.setattr(urls, "_filled_in", set())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtsp://host/x", "rtsp://host/x"),  # nothing to fill
        ("rtsp://{USER}:{PASS}@host/x", "rtsp://viewer:p%C3%A4%2Fss@host/x"),  # both parts
        ("http://host/?token={PASS}", "http://host/?token=pä/ss"),  # in the query
        ("http://host/{PASS}@x", "http://host/pä/ss@x"),  # an at behind the host
        ("{PASS}{PASS}", "pä/sspä/ss"),  # twice
    ],
)
def test_secrets_are_filled_in(url: str, expected: str) -> None:
    assert fill_secrets(url, {"USER": "viewer", "PASS": "pä/ss"}) == expected


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(CameraError, match="secret CAMERA_7_PASSWORD is not set"):
        fill_secrets("rtsp://a:{CAMERA_7_PASSWORD}@host", {"OTHER": "x"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://viewer:secret@host:554/x", "rtsp://viewer:***@host:554/x"),  # the usual
        ("can't open rtsp://v:secret@a and http://v:secret@b", "can't open rtsp://v:***@a and http://v:***@b"),  # two
        ("rtsp://:secret@host", "rtsp://:***@host"),  # no user
        ("rtsp://v:se:cr@et@host/x", "rtsp://v:***@host/x"),  # colon and at in the password
        ("http://h/v?user=v&password=secret&x=1", "http://h/v?user=v&password=***&x=1"),  # in the query
        ("http://h/v?TOKEN=secret", "http://h/v?TOKEN=***"),  # in capitals
        ("rtsp://host:554/a@b", "rtsp://host:554/a@b"),  # a port is no password
        ("rtsp://user@host/x", "rtsp://user@host/x"),  # no password at all
        ("at 12:30 mail@host", "at 12:30 mail@host"),  # no address
    ],
)
def test_passwords_are_redacted(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert "secret" not in redact(text)


HARD = ["geh/eim", "ge#h", "ge?h", "ge@h:im", 'ge"h\\eim', "gehäim", "100%", "message", "***"]


@pytest.mark.parametrize("password", HARD)
def test_any_password_makes_an_address(password: str) -> None:
    parts = urlsplit(fill_secrets("rtsp://viewer:{P}@host:554/x?y=1", {"P": password}))
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("host", 554, "/x", "y=1")
    assert unquote(parts.password or "") == password


@pytest.mark.parametrize("password", HARD)
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://viewer:{P}@127.0.0.1:9/1", "rtsp://viewer:***@127.0.0.1:9/1"),
        (
            "rtsp://127.0.0.1:9/user=admin_password={P}_channel=1",
            "rtsp://127.0.0.1:9/user=admin_password=***_channel=1",
        ),
        ("http://127.0.0.1:9/{P}/video", "http://127.0.0.1:9/***/video"),
        ("rtsp://{P}@127.0.0.1:9", "rtsp://***@127.0.0.1:9"),
        ("rtsp://127.0.0.1:9/1?x={P}", "rtsp://127.0.0.1:9/1?x=***"),
    ],
)
def test_a_secret_is_known_wherever_it_stands(url: str, shown: str, password: str) -> None:
    filled = fill_secrets(url, {"P": password})
    assert redact(f"{filled} can't be opened") == f"{shown} can't be opened"
    assert redact(f"FFmpeg says {password}, {quote(password)}") == "FFmpeg says ***, ***"
    line = logged(filled, password)
    assert line["message"] == f"no picture of {shown}"
    assert line["extra"] == [{"url": shown}]
    assert line["traceback"].endswith(f"ValueError: {shown} ***")


def logged(filled: str, password: str) -> dict[str, Any]:
    """What stands in the log of a failure whose every part holds the secret."""
    out = io.StringIO()
    handler, log = logging.StreamHandler(out), logging.Logger("edge.test")
    handler.setFormatter(JsonFormatter())
    log.addHandler(handler)
    try:
        raise ValueError(f"{filled} {password}")
    except ValueError:
        log.exception("no picture of %s", filled, extra={"extra": ({"url": filled},)})
    return json.loads(out.getvalue())  # type: ignore[no-any-return]


def test_what_was_never_filled_in_is_left_alone() -> None:
    fill_secrets("rtsp://a:{P}@host", {"P": "", "OTHER": "host"})
    assert redact("rtsp://host/x") == "rtsp://host/x"
