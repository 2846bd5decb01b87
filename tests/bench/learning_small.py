"""What small models of the lobby's last candidate give and cost, step by step, and what the gate says of each."""

from __future__ import annotations

from pathlib import Path

import msgspec

from archive.collection.store import Collection
from archive.evidence.files import Folder
from contracts.manifest import load_manifest
from tests.bench.learning_gate import frozen
from tests.bench.learning_rounds import ROUNDS, Bench
from training.collected import collected, site_sets
from training.dataset import read_sets
from training.finetune import FinetuneRecipe
from training.gate.run import run
from training.place import find_place
from training.small import Distil, Lessons, Made, Small, make_small

STEPS = 200
PRUNED = 0.25
NETWORK = ("backbone", "neck", "heads")


def small(bench: Bench, part: str, after: str) -> None:
    """Make each variant of the last candidate of a part, measure it as the candidate is, and let the gate judge it."""
    full = bench.out / after / f"round-{len(ROUNDS)}" / "candidate" / "detector.json"
    lessons, listed = _lessons(bench, after, bench.out / part), frozen(bench)
    if f"{part} full" not in bench.results:
        bench.note(f"{part} full", bench.on_last(full))
    for name, how in variants(bench.recipe).items():
        if f"{part} {name}" in bench.results:
            continue
        out = bench.out / part / name
        made = make_small(how, f"detector-{name}", full, bench.recipe, lessons, find_place(), out)
        steps = msgspec.json.decode(made.with_suffix(".steps").read_bytes(), type=list[Made])
        values = bench.on_last(made) | {"steps": msgspec.to_builtins(steps)}
        models = {one: (load_manifest(one), one.parent) for one in (made, full, bench.start())}
        for against, other in (("candidate", full), ("start", bench.start())):
            report = run(models[made], models[other], listed)
            values[f"gate against the {against}"] = {"passed": report.passed, "why": report.why, "ms": report.ms}
        bench.note(f"{part} {name}", values)


def variants(recipe: FinetuneRecipe) -> dict[str, Small]:
    """The recipe's way, and others to combine its steps."""
    how = recipe.small
    assert how is not None
    assert how.quantise is not None
    learning = {"steps": STEPS, "learning_rate": 8e-4, "warmup_steps": 10}
    branch = ("branches",)
    distil = Distil(learns=branch, hinged=branch, schedule=msgspec.structs.replace(recipe.schedule, **learning))
    everywhere = msgspec.structs.replace(how.quantise, floats=())
    in_branch = msgspec.structs.replace(how.quantise, floats=NETWORK)
    return {
        "recipe": how,
        "all-int8": Small(quantise=everywhere),
        "branch-int8": Small(quantise=in_branch),
        "distilled-int8": Small(distil=distil, quantise=in_branch),
        "pruned-int8": Small(distil=distil, prune=PRUNED, quantise=in_branch),
    }


def _lessons(bench: Bench, after: str, work: Path) -> Lessons:
    """What the candidate was trained on, and the replay that says what is lost."""
    collection = Collection(Folder(bench.out / after / "collection"))
    items, recipe = collection.load().items, bench.recipe
    site = site_sets(collection, items, recipe, work / "pictures", recipe.site_weight)
    train, validate = (
        read_sets(recipe.sets, (role,), bench.data, bench.cache, recipe.channels) for role in ("train", "validate")
    )
    return Lessons((*site, *train), validate, collected(collection, (), recipe, work / "pictures", 0.0))
