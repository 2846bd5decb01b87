"""`python -m archive.explain`: a question as JSON on stdin, its answer on stdout; no page waits while a model runs."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from archive.collection.store import Collection, collection_files
from archive.explain.explaining import OPTIONS, explain_box, jpeg_of
from archive.explain.models import model_of
from archive.explain.nearest import cut_out, nearest, vector_at
from archive.explain.question import Alike, Answer, Question
from contracts.decoding import from_json
from contracts.errors import VedetteError
from stream.vision.session import Session

MOST_ALIKE = 24
"""Who asks may not see all cameras: the console shows the first of those that they see."""
MOST_NEW = 100
"""Pictures that are looked at for one question: 50 ms each, and somebody waits."""


def main() -> int:
    """Answer one question; 1 when it makes no sense."""
    question = from_json(sys.stdin.buffer.read(), Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
    return 0


def answer(question: Question) -> Answer:
    """The explanation, or why there is none."""
    try:
        manifest, folder = model_of(question.model, question.manifest, question.models)
        session, picture = Session.open(manifest, folder, OPTIONS), (question.width, question.height)
        made = explain_box(session, question.jpeg, picture, question.label, question.xyxy)
    except VedetteError as error:
        return Answer(error=str(error))
    if not made.heat.score:
        return Answer(error=f"{question.model} does not see it in the picture as it is kept")
    alike = _alike(question, session) if question.learning is not None else ()
    return Answer(overlay=made.overlay, score=made.heat.score, runs=made.heat.runs, alike=alike)


def _alike(question: Question, session: Session) -> tuple[Alike, ...]:
    """What it looks like, of the pictures that were looked at before and some more; () where nothing can be said."""
    assert question.learning is not None
    collection = Collection(collection_files(question.learning, Path(question.state)))
    try:
        vector = vector_at(session, question.jpeg, (question.width, question.height), question.xyxy)
        found = nearest(collection, session, vector, most=MOST_ALIKE, most_new=MOST_NEW)
    except VedetteError:
        return ()
    cut = ((one, cut_out(collection, one)) for one in found.examples)
    return tuple(Alike(example=one, jpeg=jpeg_of(picture)) for one, picture in cut if picture is not None)


if __name__ == "__main__":
    sys.exit(main())
