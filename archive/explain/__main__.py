"""`python -m archive.explain`: a question as JSON on stdin, its answer on stdout; no page waits while a model runs."""

from __future__ import annotations

import sys

import msgspec

from archive.explain.explaining import explain_box
from archive.explain.models import model_of
from archive.explain.question import Answer, Question
from contracts.errors import VedetteError


def main() -> int:
    """Answer one question; 1 when it makes no sense."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
    return 0


def answer(question: Question) -> Answer:
    """The explanation, or why there is none."""
    try:
        manifest, folder = model_of(question.model, question.manifest, question.models)
        picture = (question.width, question.height)
        made = explain_box(manifest, folder, question.jpeg, picture, question.label, question.xyxy)
    except VedetteError as error:
        return Answer(error=str(error))
    if not made.heat.score:
        return Answer(error=f"{question.model} does not see it in the picture as it is kept")
    return Answer(overlay=made.overlay, score=made.heat.score, runs=made.heat.runs)


if __name__ == "__main__":
    sys.exit(main())
