"""The config in force: the file's with what the console's database has changed of it."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from console.database_url import database_url
from console.overlay import laid_over
from console.store.database import Database
from console.store.objects import Objects
from contracts.config import Config
from vedette.errors import SetupError


def in_force(config: Config, state: Path) -> Config:
    """The config in force; raises SetupError where the console's database can't be read."""
    folder = state / "console"
    if not config.console.database and not (folder / "console.db").is_file():
        raise SetupError(f"there is no console's database in {folder}", "say where with --state DIR")
    database = Database(database_url(config.console.database, folder, os.environ))
    try:
        versions = Objects(database).current().values()
    except SQLAlchemyError as error:
        raise SetupError(f"the console's database can't be read: {error}", "is it the one of this version?") from error
    finally:
        database.close()
    return laid_over(config, versions)
