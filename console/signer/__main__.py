"""`python -m console.signer`: the only process that holds the clients' authority; it signs until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from pathlib import Path

from console.signer.signing import Signer, serving
from contracts.config_file import load
from contracts.errors import ConfigError
from vault import Authority, VaultError

log = logging.getLogger("signer")


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C; 2 for a wrong config, 1 where authority or socket can't be used."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        config = load(given.config)
        Authority(given.certificate.read_bytes(), given.key.read_bytes())  # what can't sign is said at once
        path = Path(config.console.agents.signer)
        with serving(Signer(config, given.certificate, given.key, _now_ms), path):
            log.info("signing for %s on %s", ", ".join(config.edge.agents) or "nobody", path)
            stop.wait()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (VaultError, OSError) as error:
        print(f"signer: {error}", file=sys.stderr)
        return 1
    return 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m console.signer", description="Sign the certificates of agents.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the site's config")
    parser.add_argument("--certificate", type=Path, required=True, metavar="FILE", help="of the clients' authority")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="its private key")
    return parser


if __name__ == "__main__":
    sys.exit(main())
