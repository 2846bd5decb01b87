"""Secrets get in where they belong and out of everything that is shown."""

import pytest

from contracts.errors import CameraError
from edge.urls import fill_secrets, redact


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtsp://host/x", "rtsp://host/x"),  # nothing to fill
        ("rtsp://{USER}:{PASS}@host/x", "rtsp://viewer:pä/ss@host/x"),  # both parts
        ("http://host/?token={PASS}", "http://host/?token=pä/ss"),  # in the query
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
