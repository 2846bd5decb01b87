"""`python -m archive.preview`: a question as JSON on stdin, its answer on stdout; no page waits while the rules run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

import msgspec

from archive.preview.again import MAX_MOMENTS, NothingToPreview, kind_of, preview, thinned
from archive.preview.question import Answer, Preview, Question
from bus.errors import BusError
from bus.reader import Reader
from contracts import topics
from contracts.codec import decode
from contracts.decoding import from_json
from contracts.errors import ContractError
from contracts.messages import FrameTracks

MAX_RECORDS = 400_000
"""Records of the topic that are looked at: eleven hours of a camera that sends ten frames a second without a pause."""
MAX_STEPS = 12_000
"""Frames with something in them that one process runs over: 0.4 ms each, so 5 s."""


def main() -> int:
    """Answer one question; 1 when it makes no sense."""
    question = from_json(sys.stdin.buffer.read(), Question)
    workers = max(1, min(os.cpu_count() or 1, len(question.cameras)))
    with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
        list(pool.map(abs, range(workers)))  # forked now: a Kafka client's threads don't survive it
        answer = _answer(question, pool, workers)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


def _answer(question: Question, pool: Executor, workers: int) -> Answer:
    try:
        kept = _kept(question)
    except BusError as error:
        return Answer(error=f"the tracks can't be read: {error}")
    most = MAX_STEPS * workers // max(1, len(kept))
    jobs = [pool.submit(_of_camera, question, name, values, most) for name, values in kept.items()]
    try:
        found = [job.result() for job in jobs]
    except NothingToPreview as error:
        return Answer(error=str(error))
    spans = [span for _, *span in found if span[0]]
    return Answer(
        rules={name: _together([previews[name] for previews, *_ in found]) for name in question.rules},
        frames=sum(map(len, kept.values())),
        since_ms=min((first for first, _, _ in spans), default=0),
        until_ms=max((last for _, last, _ in spans), default=0),
        thinned=any(thin for *_, thin in spans),
    )


def _kept(question: Question) -> dict[str, list[bytes]]:
    """The records of each camera that is asked for, in order, as many as are looked at; raises BusError."""
    kept: dict[str, list[bytes]] = {camera: [] for camera in question.cameras}
    count = 0
    with Reader(question.bootstrap, topics.TRACKS, question.since_ms) as reader:
        for record in reader.held():
            camera = (record.key or b"").decode(errors="replace")
            if camera in kept and record.value is not None:
                kept[camera].append(record.value)
                count += 1
            if count >= MAX_RECORDS:
                break
    return kept


def _of_camera(
    question: Question, camera: str, values: Sequence[bytes], most: int
) -> tuple[dict[str, Preview], int, int, bool]:
    """The previews of one camera, the times of its first and last frame, and whether frames were left out."""
    frames = []
    for value in values:
        try:
            frames.append(decode(value, FrameTracks))
        except ContractError:
            continue  # analytics reads the same record and makes the dead letter
    frames = sorted((one for one in frames if one.lane == "live"), key=lambda one: (one.session, one.index))
    used = thinned(frames, most)
    rules, suppressions = question.rules, question.suppressions.get(camera, ())
    # Who a thing belongs to depends on all rules about left things: each of those runs alone.
    alone = any(kind_of(rule) == "left_object" for rule in rules.values())
    groups = [{name: rule} for name, rule in rules.items()] if alone else [dict(rules)]
    made = (preview(question.config, camera, group, used, suppressions) for group in groups)
    found = {name: one for group in made for name, one in group.items()}
    ends = (frames[0].captured_at_ms, frames[-1].captured_at_ms) if frames else (0, 0)
    return found, *ends, len(used) < len(frames)


def _together(previews: Sequence[Preview]) -> Preview:
    moments = sorted((moment for one in previews for moment in one.moments), key=lambda moment: moment.at_ms)
    silenced = sum(one.silenced for one in previews)
    return Preview(count=sum(one.count for one in previews), silenced=silenced, moments=tuple(moments[-MAX_MOMENTS:]))


if __name__ == "__main__":
    sys.exit(main())
