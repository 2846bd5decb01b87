"""`python -m edge.enrol`: makes the agent's key and gets its first certificate from the console for a token."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from contracts import config_file
from contracts.errors import ConfigError, VedetteError
from edge.identity import FOLDER, Identity, console_at
from edge.version import VERSION


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 enrolled, 1 refused or no console, 2 the config or the command is wrong."""
    given = _parser().parse_args(arguments)
    ca = str(given.console_ca.absolute()) if given.console_ca else ""
    try:
        site = config_file.load(given.config).site.name
        token = given.token_file.read_text(encoding="utf-8").strip()
        ask = console_at(given.console, ca)
        made = Identity(given.state / FOLDER).enrol(ask, token, given.console, ca, site, VERSION)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (VedetteError, OSError) as error:
        print(f"not enrolled: {error}", file=sys.stderr)
        return 1
    print(f"enrolled as {made.agent} of {made.site}; the broker is {', '.join(made.bootstrap_servers)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m edge.enrol", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's YAML file")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="the agent's: key and certificate")
    parser.add_argument("--console", required=True, metavar="URL", help="https://HOST[:PORT]")
    parser.add_argument("--console-ca", type=Path, metavar="FILE", help="PEM, where its certificate is of your own")
    parser.add_argument("--token-file", type=Path, required=True, metavar="FILE", help="/dev/stdin: as it is typed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
