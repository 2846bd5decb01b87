"""Writes Grafana's dashboards from boards.yaml, beside it by default: `python deploy/grafana/make.py [FOLDER]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders.dashboard import Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from panels import Item, Query, board, lines, number, quantiles, rate, rows_of, share, states

HERE = Path(__file__).parent
KINDS: dict[str, Callable[..., Item]] = {"number": number, "lines": lines, "states": states, "rows": rows_of}


def panel(spec: Mapping[str, Any]) -> Item:
    """One entry of `panels:`, a row's heading too."""
    if "row" in spec:
        return Row(spec["row"])
    (kind,) = KINDS.keys() & spec.keys()
    shown = [spec["query"]] if "query" in spec else [query for one in spec["series"] for query in queries(one)]
    options = {name: value for name, value in spec.items() if name not in (kind, "query", "series")}
    return KINDS[kind](spec[kind], *shown, **options)


def queries(spec: Mapping[str, Any]) -> Iterator[Query]:
    """One entry of `series:`; quantiles are several."""
    of = spec.get("of", "here")
    match spec:
        case {"query": expression, "as": legend}:
            yield expression, legend
        case {"rate": counter, "by": label}:
            yield rate(counter, label, of)
        case {"share": counter, "by": label, "chosen": chosen, "within": within}:
            yield share(counter, label, chosen, within, of)
        case {"quantiles": histogram}:
            yield from quantiles(histogram, of, spec.get("shares", (0.5, 0.95)))
        case _:
            raise ValueError(f"no series: {spec}")


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name, spec in yaml.safe_load((HERE / "boards.yaml").read_text()).items():
        items = map(panel, spec["panels"])
        made = board(name, spec["title"], spec["about"], *items, cameras=spec.get("cameras", False))
        path = folder / f"{name}.json"
        path.write_text(json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n")
        print(path)


if __name__ == "__main__":
    main()
