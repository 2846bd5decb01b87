"""What a console, or whatever stands in its place, may answer to an agent that enrols or renews."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from contracts.enrolment import RENEW_PATH
from edge.identity import EnrolmentError, console_at


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of somebody who answers one request with these bytes, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            link, _ = listening.accept()
            with link:
                link.recv(65_536)
                link.sendall(request.param)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(5)


@pytest.mark.parametrize(
    ("answering", "why"),
    [
        (b"", "does not answer"),
        (b"SSH-2.0-nobody\r\n", "does not answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "does not answer"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnone", "403, none"),
    ],
    ids=["hangs up", "no HTTP", "half an answer", "refused"],
    indirect=["answering"],
)
def test_whatever_answers_is_said_and_asked_again_and_ends_no_thread(answering: str, why: str) -> None:
    with pytest.raises(EnrolmentError, match=why):
        console_at(answering, "")(RENEW_PATH, b"{}")
