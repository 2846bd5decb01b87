"""Does the learning loop learn: rounds of answers on a lobby's camera, against the model that stays as it is.

    python -m tests.bench.learning_bench --shared DIR --out DIR [--part NAME ...] [--steps N] [--seed N]

Each part can be killed at any moment and goes on when it is started again; what is measured stands in OUT/results.json,
and the rows and the figure are made of it. `timeout 460 python -m ...` bounds a part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import torch

from archive.collection.store import Collection
from archive.evidence.files import Folder
from tests.bench.learning_gate import BROKEN, KNOWN, gate
from tests.bench.learning_rounds import RECIPE, ROUNDS, Bench, Results, budgets, poisoned, rounds, trained
from tests.bench.learning_small import small
from tests.bench.lobby import CAMERA, PERSON
from tests.bench.report import Row, at_least, at_most, missing

BUDGETS, SEEDS = (8, 24, 48), (1, 2, 3, 4, 5)
WRONG = 0.3
RISE, LOST = 0.25, 0.015
MAIN = "reviewed"
"""The part whose last collection the others are compared on."""
MARKED = "marked"
"""Answers alone, but who answers also draws whom an alert's frame shows and its box misses."""
ROUND_LABELS = {MAIN: (24, 24, 24, 24), "begun": (24, 0, 0, 0), "answers": (0, 0, 0, 0), MARKED: (0, 0, 0, 0)}
"""Pictures of the queue that a person labels in each round, beside answering alerts, by part."""
ALONE = ("both", "site", "public")
PARTS = (MAIN, "poisoned", "gate", *ALONE, "budgets", "begun", "answers", MARKED, "small")


def run(bench: Bench, part: str) -> None:
    """One part, to its end."""
    runs: dict[str, Callable[[], None]] = {
        **{name: partial(rounds, bench, name, told, marks=name == MARKED) for name, told in ROUND_LABELS.items()},
        **{name: partial(alone, bench, name) for name in ALONE},
        "poisoned": lambda: poisoned(bench, MAIN, WRONG),
        "budgets": lambda: budgets(bench, BUDGETS, SEEDS),
        "gate": lambda: gate(bench, MAIN),
        "small": lambda: small(bench, part, MAIN),
    }
    runs[part]()


def alone(bench: Bench, part: str) -> None:
    """One training of the start on the last round's version: on it alone, on labelled public pictures alone, on both.

    The trained weights are taken as they are: what blending saves is seen by the rounds.
    """
    if part in bench.results:
        return
    folder = bench.out / MAIN
    version = Collection(Folder(folder / "collection")).load()
    free = msgspec.structs.replace(bench.recipe, blends=(1.0,), most_lost=1.0)
    public = tuple(one for one in bench.detector.sets if one.role == "train" and one.name in ("coco-train", "fudan"))
    measured = tuple(one for one in bench.recipe.sets if one.role == "validate")
    recipes = {
        "both": free,
        "site": msgspec.structs.replace(free, sets=measured),
        "public": msgspec.structs.replace(free, sets=public + measured, site_weight=0.0),
    }
    trained(bench, part, recipes[part], folder, version, bench.out / part, bench.measured)


def rows(results: Results) -> list[Row]:
    """The promises, as far as they were measured."""
    made = [row for part in ROUND_LABELS for row in _rises(part, results)]
    if ours := curve(MAIN, results):
        for part in ("site", "public"):
            if part in results:
                value = results[part]["last"]
                made.append(
                    at_most("learning", f"{part} data alone: AP50 of the last clips", value, ours[-1], digits=3)
                )
    for budget in BUDGETS:
        made += _hard(budget, results)
    for name, place in ((f"poisoned-{len(ROUNDS)}", f"{PERSON} at {CAMERA}"), ("broken", f"{BROKEN} at {KNOWN}")):
        if said := results.get(f"gate {name}"):
            named = not said["passed"] and place in said["places"]
            made.append(Row("learning", f"the gate on {name}", said["why"], f"refused, names {place}", named))
    return made or [missing("learning", "rounds", "no part has been run")]


def curve(part: str, results: Results) -> list[float]:
    """AP50 of the last clips before the first round and after each; empty where rounds are missing."""
    names = [f"{part}-{number}" for number in range(1, len(ROUNDS) + 1)]
    if not {*names, "frozen"} <= results.keys():
        return []
    return [results["frozen"]["last"], *(results[name]["last"] for name in names)]


def _rises(part: str, results: Results) -> list[Row]:
    last = curve(part, results)
    if not last:
        return []
    falls = sum(after <= before for before, after in pairwise(last))
    known = {name: results["frozen"][name] - results[f"{part}-{len(ROUNDS)}"][name] for name in ("coco", "vtest")}
    return [
        at_most("learning", f"{part}: rounds without a rise", falls, 1, digits=0),
        at_least("learning", f"{part}: AP50 of the last clips gained", last[-1] - last[0], RISE, digits=3),
        *(at_most("learning", f"{part}: {name} lost", lost, LOST, digits=3) for name, lost in known.items()),
    ]


def _hard(budget: int, results: Results) -> list[Row]:
    """The mean gain over those drawings that were trained for both, and its standard error."""
    pairs = [(results.get(f"hard-{budget}-{seed}"), results.get(f"random-{budget}-{seed}")) for seed in SEEDS]
    gains = [hard["last"] - drawn["last"] for hard, drawn in pairs if hard is not None and drawn is not None]
    if not gains:
        return []
    gained = float(np.mean(gains))  # equally good is no better
    what = f"hard before random at {budget} labels, {len(gains)} drawings"
    error = f" +- {np.std(gains, ddof=1) / len(gains) ** 0.5:.3f}" if len(gains) > 1 else ""
    return [Row("learning", what, f"{gained:.3f}{error}", "> 0", gained > 0)]


def figure(results: Results, path: Path) -> None:
    """AP50 after each round: of the last clips, and of all that follow it, beside the model that stays as it is."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    canvas, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True)
    places = range(1, len(ROUNDS) + 1)
    for part, labels in ROUND_LABELS.items():
        if last := curve(part, results):
            name = f"{'answers and marks' if part == MARKED else 'answers'}, labels {labels}"
            left.plot(range(len(last)), last, "o-", label=name)
            right.plot(places, [results[f"{part}-{n}"]["following"][n - 1] for n in places], "o-", label=name)
    for part, mark in zip(ALONE, "^vs", strict=True):
        if part in results:
            left.plot([len(ROUNDS)], [results[part]["last"]], mark, label=f"one training, {part}")
    if frozen := results.get("frozen"):
        left.axhline(frozen["last"], color="grey", linestyle=":", label="frozen")
        right.plot(places, frozen["following"], "o:", color="grey", label="frozen")
    left.set(xlabel="round", ylabel="person AP50", title="the last four clips", ylim=(0, 1), xticks=[0, *places])
    right.set(xlabel="round", title="all clips that follow the round", xticks=list(places))
    for axes in (left, right):
        axes.legend(loc="upper left", fontsize=8)
    canvas.savefig(path, dpi=110, bbox_inches="tight")
    pyplot.close(canvas)


def learning(shared: Path, say: Callable[[str], None]) -> list[Row]:
    """For `python -m tests.bench learning`: everything that was not measured yet."""
    if not (shared / "data" / "tracking" / "CAVIAR").is_dir():
        return [missing("learning", "rounds", "needs the recorded clips")]
    bench = Bench(shared, Path("build/learning"))
    bench.out.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        say(f"learning: {part}")
        run(bench, part)
    figure(bench.results, bench.out / "learning.png")
    return rows(bench.results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="the folder with data/")
    parser.add_argument("--out", type=Path, default=Path("build/learning"), help="everything goes here")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--steps", type=int, default=0, help="of each fine-tuning (0: the recipe's)")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="of each fine-tuning")
    parser.add_argument("--seed", type=int, default=0, help="of each fine-tuning (0: the recipe's)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    bench = Bench(options.shared.resolve(), options.out, options.steps, options.recipe, options.seed)
    for part in options.part:
        run(bench, part)
    figure(bench.results, options.out / "learning.png")
    for row in rows(bench.results):
        print(row.what, row.measured, row.promised, row.verdict)


if __name__ == "__main__":
    main()
