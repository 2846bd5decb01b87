"""A real PostgreSQL server in a temporary folder, for tests and benches."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISSING = "there is no PostgreSQL server here (Debian: apt-get install postgresql)"


def binaries() -> Path | None:
    """The folder of initdb and postgres, the newest where there are several."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = next((path for path in places if (path / "initdb").is_file()), None)
    on_path = shutil.which("initdb")
    return found or (Path(on_path).resolve().parent if on_path else None)


@contextmanager
def postgres(*, durable: bool = True) -> Iterator[str]:
    """Start one; yields the URL of its database, ends and deletes it. One that isn't `durable` waits for no disk."""
    folder = binaries()
    assert folder is not None, MISSING
    # It refuses to run as root.
    owner = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    home = Path(tempfile.mkdtemp(prefix="vedette-pg-"))
    shutil.chown(home, owner)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = home / "data"

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, user=owner, cwd=home, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    run(folder / "initdb", "-D", data, "-U", "vedette", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    options = f"-p {port} -h 127.0.0.1 -k {home} -c shared_buffers=256MB -c max_connections=50"
    options += "" if durable else " -c fsync=off"
    run(folder / "pg_ctl", "-D", data, "-w", "-l", home / "log", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://vedette@127.0.0.1:{port}/postgres"
    finally:
        run(folder / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(home)
