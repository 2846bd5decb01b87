"""A clean root file system (debootstrap's) and programs that run in it: as its root to build, later without rights."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SUITE = "bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""This machine's, bound over the root's while it is built: the package index may be known by an authority of ours."""
PASSED = ("PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE")
PASSED_TOO = (
    "REQUESTS_CA_BUNDLE",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
)

MOUNTED = """
root=$1 writable=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done; shift
if [ "$writable" != yes ]; then mount -o remount,bind,ro "$root"; mount -t tmpfs tmpfs "$root/tmp"; fi
exec chroot "$root" "$@"
"""
"""In a mount namespace of its own, so nothing stays mounted. Arguments: root, yes or no, pairs of paths, --, words."""


@dataclass(frozen=True)
class Run:
    """How a program runs: `user` is a number or name, `binds` are folders and files of ours at places of its own."""

    words: Sequence[str]
    user: str = "0"
    folder: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    binds: Mapping[Path, str] = field(default_factory=dict)


class Root:
    """A root file system in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def inside(self, place: str) -> Path:
        """A path of the root's as we see it."""
        return self.path / place.lstrip("/")

    def build(self, run: Run) -> None:
        """Run as it builds: the root is writable, the user may be its root. Raises CalledProcessError."""
        env = {**passed_on(), **run.env}
        words = ("setpriv", f"--reuid={run.user}", f"--regid={run.user}", "--clear-groups", *_env(env, run))
        subprocess.run(self._command(run, words, writable=True), check=True)

    def start(self, run: Run, out: int) -> subprocess.Popen[bytes]:
        """Start as a cluster does: read-only but for `binds` and /tmp, no right and no way to get one."""
        assert run.user not in ("0", "root")
        rights = ("--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
        words = ("setpriv", f"--reuid={run.user}", f"--regid={run.user}", *rights, *_env(run.env, run))
        return subprocess.Popen(self._command(run, words, writable=False), stdout=out, stderr=subprocess.STDOUT)

    def _command(self, run: Run, words: Sequence[str], *, writable: bool) -> list[str]:
        binds = []
        for source, place in {**({CERTIFICATES: str(CERTIFICATES)} if writable else {}), **run.binds}.items():
            target = self.inside(place)
            if source.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            binds += [str(source.absolute()), place]
        alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child=TERM", "sh", "-euc", MOUNTED, "sh")
        return [*alone, str(self.path), "yes" if writable else "no", *binds, "--", *words, *run.words]

    def copy(self, target: Path) -> Root:
        """The same, to go on from."""
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(self.path), str(target)], check=True)
        return Root(target)


def debootstrapped(path: Path, packages: Sequence[str]) -> Root:
    """Debian with these packages and nothing else; kept once it is made. Raises CalledProcessError."""
    if not path.is_dir():
        unfinished = path.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(unfinished)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(path)
    return Root(path)


def passed_on() -> dict[str, str]:
    """What this machine says of its package index and certificates."""
    return {name: os.environ[name] for name in (*PASSED, *PASSED_TOO) if name in os.environ}


def _env(env: Mapping[str, str], run: Run) -> tuple[str, ...]:
    return ("env", "--ignore-environment", f"--chdir={run.folder}", *(f"{name}={value}" for name, value in env.items()))
