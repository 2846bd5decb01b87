"""Known faults of the pinned packages: `python -m vedette.audit` asks, where the list of them (osv.dev) can be reached.

Where it can't it says that nothing was looked at, and that is not taken for a fault unless `--needed` says so. What was
well is not asked again for a day.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

LIST = "https://api.osv.dev/v1/vulns/GHSA-r9hx-vwmv-q579"
"""Any known fault (this one is an old setuptools's): where it can be read, pip-audit can ask for the others."""
WAIT_S = 3.0
"""For all of it, names of hosts too, which no socket's time-out bounds."""
AGAIN_S = 86_400.0
PIP_AUDIT = "pip-audit==2.10.1"


def why_unreachable(url: str, wait_s: float = WAIT_S) -> str:
    """Why the list can't be asked; empty where it can."""
    said = [f"no answer within {wait_s:g} s"]

    def ask() -> None:
        try:
            with urllib.request.urlopen(url, timeout=wait_s) as answer:  # noqa: S310  a constant
                said[0] = "" if "affected" in json.load(answer) else "something else answers"
        except (OSError, ValueError) as error:
            said[0] = str(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(wait_s)
    return said[0]


def audit(pins: Path, stamp: Path, unreachable: Callable[[], str], run: Callable[[], int], now_s: float) -> int | None:
    """Look at the packages of `pins`: 0 where none has a known fault (or none had today), None where nobody could look.

    `stamp` remembers what was well.
    """
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and 0 <= now_s - stamp.stat().st_mtime < AGAIN_S:
        print("audit: no known fault of the pinned packages (looked up within a day)")
        return 0
    if why := unreachable():
        print(f"audit: NOT DONE, the pinned packages were not looked up: {LIST}: {why}", flush=True)
        return None
    code = run()
    if code == 0:
        stamp.write_text(digest)
    return code


def main(arguments: list[str] | None = None) -> int:
    """1 for a fault that is known, and with `--needed` where nobody could look."""
    parser = argparse.ArgumentParser(prog="python -m vedette.audit", description=__doc__)
    parser.add_argument("pins", type=Path, metavar="FILE", help="constraints.txt")
    parser.add_argument("--stamp", type=Path, required=True, metavar="FILE", help="remembers what was well")
    parser.add_argument("--needed", action="store_true", help="that nobody could look is a fault")
    given = parser.parse_args(arguments)
    found = audit(given.pins, given.stamp, lambda: why_unreachable(LIST), lambda: _pip_audit(given.pins), time.time())
    return int(given.needed) if found is None else found


def _pip_audit(pins: Path) -> int:
    tool = [sys.executable, "-m", "uv", "tool", "run", "--from", PIP_AUDIT, "pip-audit"]
    return subprocess.run(
        [*tool, "--strict", "--vulnerability-service", "osv", "--requirement", pins, "--no-deps", "--disable-pip"],
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
