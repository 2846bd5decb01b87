"""`python -m bus --config FILE`: makes the site's topics what the code says, where no operator of a cluster does."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bus.admin import create_topics
from contracts import topics
from contracts.config import bootstrap_of
from contracts.config_file import load
from contracts.errors import ConfigError, VedetteError


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 the topics are there, 1 the broker did not make them, 2 the config is wrong."""
    given = _parser().parse_args(arguments)
    try:
        config = load(given.config)
        made = create_topics(bootstrap_of(config, given.bootstrap), topics.specs_of(config))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except VedetteError as error:
        print(f"topics: {error}", file=sys.stderr)
        return 1
    print(f"topics: {len(made)} made new")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bus", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's config")
    parser.add_argument("--bootstrap", default="", metavar="ADDRESS", help="the broker, instead of the config's kafka")
    return parser


if __name__ == "__main__":
    sys.exit(main())
