"""`python -m archive.history`: keeps what was seen as Parquet until SIGTERM or SIGINT."""

from __future__ import annotations

import sys

from archive.history.keeper import Keeper
from archive.history.mirror import mirror_of
from archive.history.service import SOURCE, Service
from archive.letters import Letters
from archive.process import begin, now_ms

ABOUT = (
    "Keep what was seen: a row a track, an event and a window, as Parquet files by site, kind and day, each row once. "
    "Reads `tracks`, `events`, `alerts` and `analytics` from where its catalogue says that it is."
)


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal comes; returns the exit code, 2 for a wrong config."""
    process = begin("archive.history", ABOUT, "files go to DIR/history unless the config says so", arguments)
    if process is None:
        return 2
    config = process.config
    keeper = Keeper(mirror_of(config.history, process.state), process.metrics, keep_days=config.history.keep_days)
    letters = Letters(process.bootstrap, SOURCE, process.metrics, now_ms)
    try:
        Service(
            process.bootstrap,
            keeper,
            letters,
            write_every_s=config.history.write_every_s,
            clock=now_ms,
            stop=process.stop,
        ).run()
    finally:
        letters.close()
        keeper.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
