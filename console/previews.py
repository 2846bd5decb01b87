"""How often a rule would have fired over the kept tracks, beside the one in force: asked of a process of its own."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from archive.preview.question import Answer, Preview, Question
from console.errors import BusyError
from console.rights import Who
from console.store.suppressions import SuppressionRow
from contracts.config import Config, Rule
from contracts.config_check import check
from contracts.decoding import from_json
from contracts.suppressions import Suppression

log = logging.getLogger(__name__)

LIMIT_S = 60.0
AT_ONCE = 2
MAX_HOURS = 24
HOUR_MS = 3_600_000


class RulePreview(msgspec.Struct, frozen=True, kw_only=True):
    """The rule as it is wanted, and as it is in force (None: it is not, or is the same).

    Of `frames` frames between `since_ms` and `until_ms`; `thinned` says that only some were looked at. `error` says
    why there is nothing.
    """

    wanted: Preview = Preview()
    in_force: Preview | None = None
    frames: int = 0
    since_ms: int = 0
    until_ms: int = 0
    thinned: bool = False
    error: str = ""


class Previews:
    """Starts `python -m archive.preview` for each question, a few at once. `config` gives the config in force."""

    def __init__(
        self,
        bootstrap: str,
        config: Callable[[], Config],
        silenced: Callable[[int], Sequence[SuppressionRow]],
        clock_ms: Callable[[], int],
    ) -> None:
        """`silenced` says what operators' answers silence at a time (ms)."""
        self.bootstrap, self._config, self._silenced, self._clock_ms = bootstrap, config, silenced, clock_ms
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, who: Who, name: str, rule: Rule, hours: float) -> RulePreview:
        """The preview over the last hours, on the cameras that this person sees. Blocks for seconds.

        Raises ForbiddenError, ConfigError for a rule that makes no sense, or BusyError.
        """
        who.need("configure")
        config = self._config()
        before = config.rules.get(name)
        check(replace(config, rules={**config.rules, name: rule}))
        concerned = set(rule.cameras or config.cameras) | set(before.cameras or config.cameras if before else ())
        rules = {name: rule} if before in (None, rule) else {name: before, _wanted(name): rule}
        question = Question(
            bootstrap=self.bootstrap,
            config=config,
            rules={key: one for key, one in rules.items() if one is not None},
            cameras=tuple(camera for camera in config.cameras if camera in concerned and who.sees(camera)),
            since_ms=self._clock_ms() - round(min(hours, MAX_HOURS) * HOUR_MS),
            suppressions=self._suppressions(name, tuple(rules)),
        )
        answer = self._answer(question)
        compared = _wanted(name) in rules
        return RulePreview(
            wanted=answer.rules.get(_wanted(name) if compared else name, Preview()),
            in_force=answer.rules.get(name) if compared else None,
            frames=answer.frames,
            since_ms=answer.since_ms,
            until_ms=answer.until_ms,
            thinned=answer.thinned,
            error=answer.error,
        )

    def _suppressions(self, name: str, keys: Sequence[str]) -> dict[str, tuple[Suppression, ...]]:
        """What is silenced of this rule, by camera, under each key that it is tried under."""
        found: dict[str, tuple[Suppression, ...]] = {}
        for row in self._silenced(self._clock_ms()):
            if row.body.rule == name:
                as_tried = (replace(row.body, rule=key) for key in keys)
                found[row.camera] = (*found.get(row.camera, ()), *as_tried)
        return found

    def _answer(self, question: Question) -> Answer:
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{AT_ONCE} other previews are being made; again in a moment")
        try:
            command = [sys.executable, "-m", "archive.preview"]
            made = subprocess.run(  # noqa: S603  our own module
                command, input=msgspec.json.encode(question), capture_output=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Answer(error=f"the preview was not ready within {LIMIT_S:g} s")
        finally:
            self._places.release()
        if made.returncode != 0:
            log.error("a preview failed: %s", made.stderr.decode(errors="replace")[-2000:])
            return Answer(error="the preview failed; the console's log says why")
        return from_json(made.stdout, Answer)


def _wanted(name: str) -> str:
    """The key of the rule that is not in force yet: no rule can have that name."""
    return f"{name}~"
