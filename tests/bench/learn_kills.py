"""kill -9 at random moments of `vedette learn` and `vedette models promote`: what is left is always whole.

What was done at the moment of a kill (collect, train, gate, promote) is told by what the command had said by then.

python -m tests.bench.learn_kills [--kills 10]

Tiny sites with a real training of seconds. After each kill the data set is whole, every registered version is the file
that its manifest names, and what is in service is the one from before or the one that was promoted. What is left of the
kills ends in the very candidate that an unbroken run makes. A run that ended before its kill counts as none, and the
next begins at a new site.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from archive.collection.when import last_learnt
from archive.registry import Registry, registry_of
from contracts.config_file import load
from contracts.errors import VedetteError
from tests.bench.report import Row, at_most, table
from tests.training_tools import TinySite

KILLS = 10
LOOK_S = 0.05
LIMITS = "limits: {resamples: 200, slowdown: 10}\n"
SLOT = "detector"
SAID = (("collect", ""), ("train", "training, "), ("gate", ": registered in "))
"""What `vedette learn` does, and what it has printed when it begins to; it is started and collects before."""


class Killed:
    """A site whose commands are killed; counts what isn't as it must be afterwards."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.site, self._root = TinySite(root), root
        frozen = self._python("models", "freeze", str(self.site.set))
        (root / "gate.yaml").write_text(
            subprocess.run(frozen, check=True, capture_output=True, text=True).stdout + LIMITS
        )
        self.learn = self._python("learn", "--why", "a bench", "--state", str(self.site.state))
        self.bad, self.cut_in = 0, Counter[str]()

    @property
    def registry(self) -> Registry:
        """What the site's folder holds at this moment."""
        found = registry_of(load(self.site.config).models, lambda: time.time_ns() // 1_000_000)
        assert found is not None
        return found

    def promote(self, id: str) -> list[str]:
        """The command that brings a version everywhere, whatever the gate said."""
        return self._python("models", "promote", id, "--stage", "everywhere", "--force", "a bench")

    @property
    def cut(self) -> int:
        """How many runs were cut off by their kill."""
        return self.cut_in.total()

    def once(self, command: Sequence[str], after_s: float, allowed: frozenset[str], sign: str = "") -> str:
        """Begin a command, kill it so long after it said `sign`, and look at what is left.

        `allowed` may be in service then. Returns what the kill cut off; "" where it came too late.
        """
        told = self._root / "said.txt"
        with told.open("wb") as into:
            unbuffered = os.environ | {"PYTHONUNBUFFERED": "1"}
            running = subprocess.Popen(command, stdout=into, stderr=subprocess.DEVNULL, env=unbuffered)
            while sign not in told.read_text() and running.poll() is None:
                time.sleep(LOOK_S)
            time.sleep(after_s)
            cut = running.poll() is None
            running.kill()
            running.wait()
        done = step_of(command, told.read_text()) if cut else ""
        if cut:
            self.cut_in[done] += 1
        self.bad += not self.is_whole(allowed)
        return done

    def candidate(self) -> str:
        """What its learning ended in."""
        learnt = last_learnt(self.site.collection)
        return learnt.candidate if learnt is not None else "none"

    def is_whole(self, allowed: frozenset[str]) -> bool:
        """See the module."""
        collection, registry = self.site.collection, self.registry
        try:
            if collection.versions():
                items = collection.load().items
                if any(collection.picture(item.sha256) is None for item in items):
                    return False
            for version in registry.versions():
                registry.fetch(version.id, self._root / "fetched")
        except (VedetteError, OSError, ValueError):
            return False
        learnt, known = last_learnt(collection), {version.id for version in registry.versions()}
        standing = registry.standing("home").get(SLOT)
        return (learnt is None or learnt.candidate in known) and (standing is None or standing.in_service in allowed)

    def _python(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "vedette", *arguments, "--config", str(self.site.config)]


def step_of(command: Sequence[str], said: str) -> str:
    """What a command was at when it had said so much."""
    if "promote" in command:
        return "promote"
    return [step for step, sign in SAID if sign in said][-1]


def kills(count: int, say: Callable[[str], None]) -> list[Row]:
    """A quarter of the kills in each step of learning, and in promoting."""
    with tempfile.TemporaryDirectory() as name:
        unbroken, drawn = Killed(Path(name) / "unbroken"), random.Random(1)
        spans = _spans(unbroken.learn)
        made = unbroken.candidate()
        learning = _learning(Path(name), count - count // 4, spans, drawn, say)
        ended = [one.candidate() for one in learning]
        promote_s, last = _timed(unbroken.promote(made)), learning[-1]
        allowed = frozenset({last.site.model.id, ended[-1]})
        for kill in range(count // 4):
            done = last.once(last.promote(ended[-1]), promote_s * drawn.uniform(0.2, 1.0), allowed)
            say(f"promote, kill {kill + 1} in {done or 'nothing'}: {last.bad} not whole")
        _timed(last.promote(ended[-1]))
        standing = last.registry.standing("home").get(SLOT)
        late = standing is None or standing.in_service != ended[-1]
        cut, bad = sum((one.cut_in for one in learning), Counter[str]()), sum(one.bad for one in learning)
    steps = ", ".join(f"{cut[step]} in {step}" for step in (*(step for step, _ in SAID), "promote"))
    return [
        at_most("learning", f"not as it must be after {cut.total()} kill -9: {steps}", bad, 0, digits=0),
        at_most(
            "learning", "candidates that differ from an unbroken run's", sum(o != made for o in ended), 0, digits=0
        ),
        at_most("learning", "promotions that a last run left undone", late, 0, digits=0),
    ]


def _learning(
    folder: Path, count: int, spans: dict[str, tuple[float, float]], drawn: random.Random, say: Callable[[str], None]
) -> list[Killed]:
    """Sites at which so many runs of `vedette learn` were cut off in all; each was brought to its end afterwards."""
    sites = [Killed(folder / "broken")]
    while (cut := sum(one.cut for one in sites)) < count:
        site = sites[-1]
        first = frozenset({site.site.model.id})
        meant, sign = SAID[cut % len(SAID)]
        done = site.once(site.learn, drawn.uniform(*spans[meant]), first, sign)
        say(f"learn, kill {cut + 1} in {done or 'nothing'}: {sum(one.bad for one in sites)} not whole")
        if not done:
            sites.append(Killed(folder / f"broken-{len(sites)}"))
    for site in sites:
        _timed(site.learn)
    return sites


def _spans(command: Sequence[str]) -> dict[str, tuple[float, float]]:
    """For how long (s, from and to) an unbroken run is at each step once it has said so.

    The first half of collecting is the program's start.
    """
    began_s, seen_s, said = time.monotonic(), dict[str, float](), ""
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            said += line
            seen_s.setdefault(step_of(command, said), time.monotonic() - began_s)
    if run.returncode not in (0, 3):
        raise VedetteError(f"an unbroken run ended with {run.returncode}")
    train_s, gate_s, end_s = seen_s["train"], seen_s["gate"], time.monotonic() - began_s
    return {"collect": (train_s / 2, train_s), "train": (0.0, gate_s - train_s), "gate": (0.0, end_s - gate_s)}


def _timed(command: Sequence[str]) -> float:
    """How long a command takes, s; a candidate that the gate refuses (3) is one, too."""
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise VedetteError(f"{' '.join(command[2:5])} ended with {done.returncode}: {done.stderr[-500:]}")
    return time.monotonic() - began_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS)
    print(table(kills(parser.parse_args().kills, print)))


if __name__ == "__main__":
    main()
