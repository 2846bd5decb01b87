"""Why an address gives no picture, in a person's words: FFmpeg says only that it doesn't."""

from __future__ import annotations

import socket
from urllib.parse import SplitResult, urlsplit

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
ANSWER_BYTES = 256
_WORDS = {
    "401": "the camera refuses this user and password",
    "403": "the camera forbids this user that stream",
    "404": "the camera has no such stream: look at the path",
    "454": "the camera has no such stream: look at the path",
}


def why_no_picture(url: str, timeout_s: float) -> str:
    """What is wrong with the address (secrets filled in), as far as asking its host tells; "" where it doesn't.

    Each question waits at most `timeout_s`. No secret is in the answer.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return ""
    host = parts.hostname
    if not host or not port:
        return ""
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            return _answer(connection, parts) if parts.scheme in ("rtsp", "http") else ""
    except socket.gaierror:
        return f"the host {host} is not known: look at its name, or give its number"
    except ConnectionRefusedError:
        return f"{host} refuses connections on port {port}: look at the port, and whether the camera serves there"
    except TimeoutError:
        return f"{host} does not answer on port {port} within {timeout_s:g} s"
    except OSError as error:
        return f"{host} can't be reached on port {port}: {error.strerror or error}"


def _answer(connection: socket.socket, parts: SplitResult) -> str:
    """Ask for the stream without user and password; the host's own word where that can't be the reason."""
    place = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "rtsp":
        connection.sendall(f"DESCRIBE rtsp://{host}{place} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
    else:
        connection.sendall(f"GET {place} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    first = connection.recv(ANSWER_BYTES).partition(b"\r\n")[0].decode("ascii", "replace").split(" ")
    if len(first) < 2 or not first[0].startswith(("RTSP/", "HTTP/")):
        return f"what answers there does not speak {parts.scheme.upper()}"
    if first[1] == "401" and not parts.username:
        return "the camera wants a user and a password"
    return _WORDS.get(first[1], "" if first[1] == "200" else f"the camera answers {' '.join(first[1:])[:80]}")
