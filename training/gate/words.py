"""What of people's words a candidate contradicts although it learnt them: too much of it, and somebody's are wrong.

A robust candidate is no worse for a third of wrong words, so that the frozen sets don't tell; the words themselves do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from archive.collection.quality import share
from contracts.manifest import Words
from training.gate.judge import Limits, Reason

LEAST_WORDS = 10
"""Of fewer the share says nothing: a doubt, which is said and refuses nothing."""


def contradicted(words: Iterable[Words], limits: Limits) -> Iterator[tuple[bool, Reason]]:
    """For each label with too many contradicted words, at a camera or at all, whether that refuses it, and why."""
    told = list(words)
    for one in (*told, *_at_all_cameras(told)):
        found = share([place < one.contradicted for place in range(one.words)])
        if found is None or found.low <= limits.contradicted:
            continue
        where = f"{one.label} at {one.camera or 'all cameras'}"
        text = (
            f"{where}: {one.contradicted} of {one.words} new answers and labelled pictures are contradicted by "
            f"what else is known ({_whose(one)}), {found.low:.0%} at least in the long run: "
            "look at them again, the next queue has them, and `vedette dataset show` says who said it"
        )
        enough = one.words >= LEAST_WORDS
        text = text if enough else f"{text}; maybe by chance"
        yield enough, Reason(of="words", text=text, camera=one.camera, label=one.label)


def _at_all_cameras(words: Iterable[Words]) -> Iterator[Words]:
    """A label's words at all cameras, where several have some: each may have too few to tell by."""
    of: dict[str, list[Words]] = defaultdict(list)
    for one in words:
        of[one.label].append(one)
    for label, each in sorted(of.items()):
        by = Counter[str]()
        for one in each:
            by.update(one.by)
        if len(each) > 1:
            yield Words(
                camera="",
                label=label,
                words=sum(one.words for one in each),
                contradicted=sum(one.contradicted for one in each),
                by=dict(sorted(by.items())),
            )


def _whose(words: Words) -> str:
    """Of how many people it is: a report goes wherever the model does, so nobody is named."""
    if len(words.by) < 2:
        return "all by one person"
    return f"by {len(words.by)} people, {max(words.by.values())} of it by one of them"
