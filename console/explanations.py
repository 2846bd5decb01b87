"""Where a model saw what an alert is about: asked of a process of its own, once for each kept picture."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from archive.explain.question import Answer, Question
from console.errors import BusyError
from console.evidence import EvidenceReader
from console.rights import Who
from console.store.store import Store
from contracts.config import Config
from contracts.decoding import from_json
from contracts.messages import Alert

log = logging.getLogger(__name__)

LIMIT_S = 60.0
PATIENCE_S = 20.0
"""So long the next one waits for the one that is being made: a hundred runs take 2 s, on busy cores more."""
KEPT = 32
SHOWN = 6


class Explanations:
    """Starts `python -m archive.explain` for each question, one at a time.

    The config's paths begin in `folder`; the data set may lie in `archive`.
    """

    def __init__(
        self,
        store: Store,
        evidence: EvidenceReader,
        config: Config,
        folder: Path,
        archive: Path,
        clock_ms: Callable[[], int],
    ) -> None:
        self._archive, self._learning = archive, config.learning
        self._store, self._evidence, self._clock_ms = store, evidence, clock_ms
        self._manifest = str((folder / config.stream.model).resolve()) if config.stream.model else ""
        self._models = config.models
        self._place = threading.Semaphore(1)
        self._known: OrderedDict[str, Answer] = OrderedDict()

    def ask(self, who: Who, alert: Alert) -> Answer:
        """The alert's kept picture with the heat over it; blocks for seconds. The look at it is in the audit.

        That this person may see the camera is looked at before. Raises BusyError.
        """
        kept = self._evidence.kept(alert)
        if kept is None or kept.evidence.xyxy is None or not alert.model:
            return Answer(error="there is no picture of a single thing to explain")
        now_ms = self._clock_ms()
        jpeg = self._evidence.read(who, alert.id, "frame", now_ms)
        if jpeg is None:
            return Answer(error="the picture is not kept any more")
        details = {"camera": alert.camera, "model": alert.model}
        self._store.audit.record(at_ms=now_ms, who=who.name, action="explain", subject=alert.id, details=details)
        key = f"{alert.id}/{kept.revision}"
        return self._known.get(key) or self._made(
            key,
            Question(
                jpeg=jpeg,
                width=kept.evidence.width,
                height=kept.evidence.height,
                label=alert.label,
                xyxy=kept.evidence.xyxy,
                model=alert.model,
                manifest=self._manifest,
                models=self._models,
                learning=self._learning,
                state=str(self._archive),
            ),
        )

    @staticmethod
    def alike(who: Who, answer: Answer) -> list[dict[str, Any]]:
        """What it looks like, of the cameras that this person sees, as plain values; `jpeg` is a data address."""
        seen = [one for one in answer.alike if who.sees(one.example.camera)][:SHOWN]
        return [
            msgspec.to_builtins(one.example) | {"jpeg": "data:image/jpeg;base64," + b64encode(one.jpeg).decode()}
            for one in seen
        ]

    def _made(self, key: str, question: Question) -> Answer:
        if not self._place.acquire(timeout=PATIENCE_S):
            raise BusyError("another explanation is being made; again in a moment")
        try:
            answer = self._known.get(key) or _answer(question)  # who waited may have waited for the same
        finally:
            self._place.release()
        if answer.overlay:
            self._known[key] = answer
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return answer


def _answer(question: Question) -> Answer:
    command = [sys.executable, "-m", "archive.explain"]
    try:
        made = subprocess.run(  # noqa: S603  our own module
            command, input=msgspec.json.encode(question), capture_output=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Answer(error=f"the explanation was not ready within {LIMIT_S:g} s")
    if made.returncode != 0:
        log.error("an explanation failed: %s", made.stderr.decode(errors="replace")[-2000:])
        return Answer(error="the explanation failed; the console's log says why")
    return from_json(made.stdout, Answer)
