"""The spool gives back what was accepted: after a kill, with damage, and within its bound."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.sampler import Worth
from edge.spool import DamagedRecord, Record, Spool

PAYLOAD = 10_000
MB = 1024 * 1024


def record(index: int, worth: Worth = "motion", camera: str = "gate", session: int = 1) -> Record:
    return Record(camera, "late", worth, session, index, 1_700_000_000_000 + index, 0)


def payload_of(index: int, size: int = PAYLOAD) -> bytes:
    return index.to_bytes(4, "big") * (size // 4)


OPENED: list[Spool] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close what a test opened, as the end of its process would."""
    yield
    while OPENED:
        OPENED.pop().close()


def opened(folder: Path, max_bytes: int = 100 * MB) -> tuple[Spool, list[Record]]:
    spool = Spool(folder, max_bytes)
    OPENED.append(spool)
    return spool, spool.open()


def filled(folder: Path, count: int, worth: Worth = "motion") -> Spool:
    spool, _ = opened(folder)
    for index in range(count):
        assert spool.append(record(index, worth), payload_of(index)) == []
    return spool


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.seg"))


def test_what_was_written_comes_back_in_order(tmp_path: Path) -> None:
    spool, _ = opened(tmp_path)
    for index, worth in enumerate(("motion", "detail", "heartbeat", "motion")):
        spool.append(record(index, worth), payload_of(index))  # type: ignore[arg-type]
    again, found = opened(tmp_path)
    assert [(r.camera, r.lane, r.worth, r.place) for r in found] == [
        ("gate", "late", "motion", (1, 0)),
        ("gate", "late", "detail", (1, 1)),
        ("gate", "late", "heartbeat", (1, 2)),
        ("gate", "late", "motion", (1, 3)),
    ]
    assert [again.read(r) for r in found] == [payload_of(i) for i in range(4)]
    assert [spool.read(r) for r in found] == [again.read(r) for r in found]
    assert again.torn_records == again.damaged_records == 0


def test_what_is_done_leaves_the_disk(tmp_path: Path) -> None:
    spool, _ = opened(tmp_path, 1000 * MB)
    records = [record(index) for index in range(3 * 900)]
    for r in records:
        spool.append(r, payload_of(r.index))
    assert len(list(tmp_path.rglob("*.seg"))) == 4  # 27 MB in segments of 8 MiB
    for r in records[:1700]:
        spool.done(r)
    assert len(list(tmp_path.rglob("*.seg"))) == 2
    assert spool.disk_bytes == bytes_in(tmp_path)
    for r in records[1700:]:
        spool.done(r)
    spool.close()
    assert bytes_in(tmp_path) == spool.disk_bytes == 0


@pytest.mark.parametrize("cut", [1, 5, 19, 30, 60, PAYLOAD // 2, PAYLOAD + 20])
def test_a_torn_tail_is_cut_and_counted(tmp_path: Path, cut: int) -> None:
    filled(tmp_path, 5)
    segment = next(tmp_path.rglob("*.seg"))
    os.truncate(segment, segment.stat().st_size - cut)
    spool, found = opened(tmp_path)
    assert [r.index for r in found] == [0, 1, 2, 3]
    assert spool.torn_records == 1
    assert opened(tmp_path)[0].torn_records == 0  # and is not there the next time


@pytest.mark.parametrize(
    ("at", "lost_at_start"),
    [
        (0, True),  # in the third record's magic number
        (7, True),  # in its lengths
        (25, True),  # in its header
        (15, False),  # in the payload's CRC32: known when it is read
        (5000, False),  # in its payload
    ],
)
def test_damage_costs_the_record_that_it_hits(tmp_path: Path, at: int, lost_at_start: bool) -> None:
    filled(tmp_path, 5)
    segment = next(tmp_path.rglob("*.seg"))
    size = segment.stat().st_size // 5
    data = bytearray(segment.read_bytes())
    data[2 * size + at] ^= 0x55
    segment.write_bytes(data)
    spool, found = opened(tmp_path)
    expected = [0, 1, 3, 4] if lost_at_start else [0, 1, 2, 3, 4]
    assert [r.index for r in found] == expected
    assert spool.damaged_records == (1 if lost_at_start else 0)
    for r in found:
        if r.index == 2:
            with pytest.raises(DamagedRecord, match="CRC32"):
                spool.read(r)
        else:
            assert spool.read(r) == payload_of(r.index)


def test_garbage_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "motion").mkdir(parents=True)
    (tmp_path / "motion" / "000000000007.seg").write_bytes(os.urandom(50_000))
    (tmp_path / "motion" / "000000000008.seg").write_bytes(b"")
    spool, found = opened(tmp_path)
    assert found == []
    spool.append(record(1), payload_of(1))
    assert [r.index for r in opened(tmp_path)[1]] == [1]


def test_the_bound_holds_and_the_least_valuable_oldest_go_first(tmp_path: Path) -> None:
    limit = 4 * MB
    spool, _ = opened(tmp_path, limit)
    lost: list[Record] = []
    worths: tuple[Worth, ...] = ("heartbeat", "motion", "detail")
    for index in range(900):
        lost += spool.append(record(index, worths[index % 3]), payload_of(index))
        assert bytes_in(tmp_path) <= limit
    gone = {worth: [r.index for r in lost if r.worth == worth] for worth in worths}
    kept = {r.index for r in opened(tmp_path, limit)[1]}
    # 300 of each, room for about 418: details stay, motion gives way only when there are no heartbeats left.
    assert len(gone["heartbeat"]) > 290
    assert gone["detail"] == []
    assert gone["motion"] == sorted(gone["motion"])
    assert gone["motion"][0] == 1
    assert kept | {r.index for r in lost} == set(range(900))
    assert not kept & {r.index for r in lost}


def test_a_lesser_frame_makes_no_room_among_better_ones(tmp_path: Path) -> None:
    spool, _ = opened(tmp_path, MB)
    index = 0
    while spool.disk_bytes + PAYLOAD + 100 < MB:
        assert spool.append(record(index, "detail"), payload_of(index)) == []
        index += 1
    before = bytes_in(tmp_path)
    beat = record(2, "heartbeat")
    assert spool.append(beat, payload_of(2)) == [beat]
    assert beat.segment is None
    assert bytes_in(tmp_path) == before


@pytest.mark.parametrize(
    ("worth", "size"),
    [
        ("detail", MB + 1),  # more than the whole spool
        ("motion", MB // 2),  # more than what is worth as much or less holds
    ],
)
def test_nothing_is_deleted_for_what_has_no_room_anyway(tmp_path: Path, worth: Worth, size: int) -> None:
    spool, _ = opened(tmp_path, MB)
    for index in range(100):
        assert spool.append(record(index, "heartbeat" if index < 20 else "detail"), payload_of(index)) == []
    too_large = record(100, worth)
    assert spool.append(too_large, bytes(size)) == [too_large]
    assert [r.index for r in opened(tmp_path, MB)[1]] == list(range(100))


def test_a_full_disk_is_an_error_and_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = filled(tmp_path, 2)
    file = spool._open["motion"]

    class Full:
        def write(self, data: bytes) -> int:
            return file.write(data[:100])

        def close(self) -> None:
            file.close()

    spool._open["motion"] = Full()  # type: ignore[assignment]
    failed = record(2)
    with pytest.raises(OSError, match="No space left"):
        spool.append(failed, payload_of(2))
    assert failed.segment is None
    assert spool.append(record(3), payload_of(3)) == []
    assert [r.index for r in opened(tmp_path)[1]] == [0, 1, 3]


WRITER = """
import sys
from collections.abc import Iterator
from pathlib import Path
from edge.spool import Record, Spool
spool = Spool(Path(sys.argv[1]), 1 << 30)
spool.open()
for index in range(1 << 20):
    spool.append(Record("gate", "late", "motion", 1, index, 0, 0), index.to_bytes(4, "big") * 25_000)
    print(index, flush=True)
"""


def test_it_survives_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 200:
            pass
        time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
        accepted = [200, *map(int, writer.stdout.read().split())]
    spool, found = opened(tmp_path, 1 << 30)
    indices = [r.index for r in found]
    assert indices == list(range(len(indices)))
    assert len(indices) > accepted[-1]  # everything whose append returned is there
    for r in found[-5:]:
        assert spool.read(r) == r.index.to_bytes(4, "big") * 25_000
