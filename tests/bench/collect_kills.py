"""kill -9 at random moments of `vedette dataset collect`: what is left is always the last whole version.

python -m tests.bench.collect_kills [--kills 10]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from archive.collection.store import VERSIONS
from tests.bench.report import Row, at_most, table
from tests.collection_tools import Answering

KILLS, ALERTS, NEW = 10, 30, 5
CONFIG = "cameras: {gate: {inputs: [{url: clip.mp4}]}}\nconsole: {enabled: false}\n"


def kills(count: int, say: Callable[[str], None]) -> list[Row]:
    """Collect once, then again and again with new answers, killed each time; last once more to the end."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "my.yaml").write_text(CONFIG)
        site = Answering(root / "state" / "archive")
        for number in range(ALERTS):
            site.alert(f"a{number}", "false" if number % 3 else "true", grey=number + 1)
        began_s = time.monotonic()
        _collect(root).wait()
        whole_s, drawn, bad, cut = time.monotonic() - began_s, random.Random(1), 0, 0
        for kill in range(count):
            for number in range(NEW):
                site.alert(f"k{kill}-{number}", "true", grey=ALERTS + 1 + kill * NEW + number)
            running = _collect(root)
            time.sleep(whole_s * drawn.uniform(0.3, 1.0))
            cut += running.poll() is None
            running.kill()
            running.wait()
            bad += not _is_whole(site)
            say(f"kill {kill + 1}: version {site.collection.load().about.number}, {cut} runs cut off")
        _collect(root).wait()
        left = site.collection.files.folders(VERSIONS)
        half = len(left) - len(site.collection.versions())
        missing = ALERTS + count * NEW - len(site.collection.load().items)
    return [
        at_most("learning", f"collections that are not whole after {cut} kill -9", bad, 0, digits=0),
        at_most("learning", "half versions after the last run", half, 0, digits=0),
        at_most("learning", "answers that the last run lacks", missing, 0, digits=0),
    ]


def _collect(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "vedette", "dataset", "collect", "--config", str(root / "my.yaml")]
    return subprocess.Popen([*command, "--state", str(root / "state")], stdout=subprocess.DEVNULL)


def _is_whole(site: Answering) -> bool:
    """The newest version can be read, and all its pictures are there as they were."""
    version = site.collection.load()
    return all(site.collection.picture(item.sha256) is not None for item in version.items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS)
    print(table(kills(parser.parse_args().kills, print)))


if __name__ == "__main__":
    main()
