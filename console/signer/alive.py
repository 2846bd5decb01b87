"""`python -m console.signer.alive SOCKET`: whether the signer answers. For a probe, so it imports next to nothing."""

from __future__ import annotations

import socket
import sys

PROBE = b"\n"
"""An empty line is answered by an empty line, and nothing is signed."""
ANSWER_S = 3.0


def why_silent(path: str) -> str:
    """Why nobody answers at the socket; empty where somebody does."""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(ANSWER_S)
            link.connect(path)
            link.sendall(PROBE)
            return "" if link.recv(1) == PROBE else "the signer hung up"
    except OSError as error:
        return f"the signer does not answer: {error}"


if __name__ == "__main__":
    sys.exit(why_silent(sys.argv[1]) or 0)
