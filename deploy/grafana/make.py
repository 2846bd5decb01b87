"""Writes Grafana's dashboards: `python deploy/grafana/make.py [FOLDER]`, beside this file by default."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from jobs import models, stream
from people import identification, operators
from sites import camera, fleet

BOARDS: tuple[Callable[[], Dashboard], ...] = (fleet, camera, stream, models, identification, operators)


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for made in BOARDS:
        path = folder / f"{made.__name__}.json"
        path.write_text(json.dumps(made().build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n")
        print(path)


if __name__ == "__main__":
    main()
