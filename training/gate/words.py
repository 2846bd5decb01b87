"""What of people's words a candidate contradicts although it learnt them: too much of it, and somebody's are wrong.

A robust candidate is no worse for a third of wrong words, so that the frozen sets don't tell; the words themselves do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archive.collection.quality import share
from contracts.manifest import Words
from training.gate.judge import Limits, Reason

LEAST_WORDS = 10
"""Of fewer the share says nothing: a doubt, which is said and refuses nothing."""


def contradicted(words: Iterable[Words], limits: Limits) -> Iterator[tuple[bool, Reason]]:
    """For each camera and label with too many contradicted words whether that refuses the candidate, and why."""
    for one in words:
        found = share([place < one.contradicted for place in range(one.words)])
        if found is None or found.low <= limits.contradicted:
            continue
        whose = ", ".join(f"{count} by {name or 'nobody known'}" for name, count in one.by.items())
        text = (
            f"{one.label} at {one.camera}: {one.contradicted} of {one.words} new answers and labelled pictures are "
            f"contradicted by what else is known ({whose}), {found.low:.0%} at least in the long run: "
            "look at them again, the next queue has them"
        )
        enough = one.words >= LEAST_WORDS
        text = text if enough else f"{text}; maybe by chance"
        yield enough, Reason(of="words", text=text, camera=one.camera, label=one.label)
