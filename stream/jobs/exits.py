"""How the programs of the jobs end: their exit codes, and what an error becomes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from contracts.errors import ConfigError, VedetteError

EXIT_FAILED, EXIT_CONFIG, EXIT_LOOP = 1, 2, 3
"""The jobs failed for good, the config is wrong, they were started again and again."""

log = logging.getLogger("vedette.jobs")


def exit_code(config: Path, work: Callable[[], int]) -> int:
    """What `work` returns, or the code of an error that it raises on purpose, which is said; `config` is the file."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return work()
    except ConfigError as error:
        log.error("%s: %s", config, error)
        return EXIT_CONFIG
    except VedetteError as error:
        log.error("%s", error)
        return EXIT_FAILED
