"""The frames that a system still has go to another broker: once each, in order, the last one as such."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from bus.admin import create_topics
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import VedetteError
from contracts.messages import Frame
from tests.evidence_tools import frame
from tests.kafka_tools import Writer
from vedette.broker import Broker
from vedette.kept import KeptFrames

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

T0_MS = 1_795_000_000_000


def kept_at(index: int, camera: str = "gate", session: int = 3) -> Frame:
    """A frame a second."""
    return replace(frame(T0_MS + 1000 * index), site="kept", camera=camera, session=session, index=index)


def test_kept_frames_are_replayed_as_another_sites(broker: Broker) -> None:
    for site in ("kept", "again"):
        create_topics(broker.bootstrap, topics.specs(site, 2, keep_forever=True))
    sent = [kept_at(n) for n in range(5)] + [kept_at(2), kept_at(3)]  # two came again after a restart of their agent
    sent += [kept_at(n, session=4) for n in range(5, 8)] + [kept_at(n, "hall") for n in range(3)]
    with Writer(broker.bootstrap) as writer:
        for one in sent:
            writer.send(topics.frames("kept"), encode(one), one.camera, at_ms=one.captured_at_ms)
        writer.send(topics.frames("kept"), b"no frame", "gate", at_ms=T0_MS + 4000)
    kept = KeptFrames(broker.bootstrap, "kept", T0_MS + 1000, T0_MS + 7000)
    found = kept.looked_for(["gate", "nowhere"])
    assert {name: (one.frames, one.last_ms - one.first_ms) for name, one in found.cameras.items()} == {
        "gate": (6, 5000)
    }
    found.send(broker.bootstrap, "again")
    with Reader(broker.bootstrap, topics.frames("again")) as reader:
        came = [decode(record.value or b"", Frame) for record in reader.held()]
    assert [(one.site, one.session, one.index, one.last) for one in came] == [
        ("again", 3 if n < 5 else 4, n, n == 6) for n in range(1, 7)
    ]
    assert came[0].jpeg == sent[1].jpeg
    with pytest.raises(VedetteError, match=r"frames\.kept has no frames of nowhere"):
        kept.looked_for(["nowhere"])
