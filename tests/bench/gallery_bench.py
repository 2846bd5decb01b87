"""Galleries beyond 100,000 pictures, searched by index and exactly: `python -m tests.bench.gallery_bench [--count N]`.

People are directions of 128 numbers, of which the first ones vary three times as much as the last, as an embedder's do.
Both searches are of the same run, on one core: what counts is their ratio, and how often the best is the same.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import psutil
from numpy.random import Generator
from numpy.typing import NDArray

from stream.identity import Cohort, Gallery, Person
from stream.identity.index import CodeIndex

COUNT, LOOKS, D = 300_000, 200, 128
COSINES = (0.45, 0.55, 0.7)
"""Of looks with the picture of whom they show: a bad one, a usual one, a good one."""
SPECTRUM = np.linspace(1.5, 0.5, D)


def bench(count: int = COUNT) -> dict[str, float]:
    """Seconds to make the index, MiB, milliseconds of CPU a look both ways, and shares of looks that find whom."""
    rng = np.random.default_rng(3)
    vectors = _unit(rng.standard_normal((count, D)) * SPECTRUM)
    people = [Person(f"p{number}", "") for number in range(count)]
    cohort = Cohort(_unit(rng.standard_normal((1500, D)) * SPECTRUM))
    gallery = Gallery(tuple(people), vectors, np.arange(count), cohort=cohort, excess=cohort.excess(vectors))
    before, began_s = psutil.Process().memory_info().rss, time.process_time()
    index = CodeIndex(vectors, [person.id for person in people])
    found = {"count": float(count), "made_cpu_s": time.process_time() - began_s}
    found["index_mib"] = (psutil.Process().memory_info().rss - before) / 2**20
    indexed = gallery.indexed(index, frozenset())
    for cosine in COSINES:
        places = rng.integers(count, size=LOOKS)
        looks = [_look(vectors[place], cosine, rng) for place in places]
        by_index = _named(indexed, looks, found, f"index_ms_{cosine}")
        exact = _named(gallery, looks, found, f"exact_ms_{cosine}")
        found[f"same_best_{cosine}"] = float(
            np.mean([one == other for one, other in zip(by_index, exact, strict=True)])
        )
        truth = [f"p{place}" for place in places]
        found[f"recall_{cosine}"] = float(np.mean([one == other for one, other in zip(by_index, truth, strict=True)]))
        found[f"exact_recall_{cosine}"] = float(
            np.mean([one == other for one, other in zip(exact, truth, strict=True)])
        )
    return found


def _named(gallery: Gallery, looks: list[NDArray[np.float32]], found: dict[str, float], name: str) -> list[str]:
    began_s = time.process_time()
    named = [gallery.nearest(look, 4)[0].person.id for look in looks]
    found[name] = (time.process_time() - began_s) / len(looks) * 1000
    return named


def _look(picture: NDArray[np.float32], cosine: float, rng: Generator) -> NDArray[np.float32]:
    beside = rng.standard_normal(D) * SPECTRUM
    beside -= (beside @ picture) * picture
    return np.asarray(cosine * picture + np.sqrt(1 - cosine**2) * _unit(beside[None])[0], np.float32)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    print(json.dumps({name: round(value, 3) for name, value in bench(parser.parse_args().count).items()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
