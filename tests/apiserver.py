"""A real Kubernetes API server over a real etcd, without nodes, for tests: it is asked as people do, by kubectl.

`KUBEBUILDER_ASSETS` names the folder of both programs, as for controller-runtime's envtest (`setup-envtest use -p
path`); `go build k8s.io/kubernetes/cmd/kube-apiserver go.etcd.io/etcd/server/v3` makes them too (`server` is etcd).
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stream.jobs.ports import free_port

VARIABLE = "KUBEBUILDER_ASSETS"
STARTS_WITHIN_S = 120
ENDS_WITHIN_S = 20
CALLED_WITHIN_S = 120


def binaries() -> tuple[Path, Path] | None:
    """etcd and kube-apiserver; None where the environment names none."""
    folder = Path(os.environ.get(VARIABLE) or "nowhere")
    etcd = next((one for name in ("etcd", "server") if (one := folder / name).is_file()), None)
    server = folder / "kube-apiserver"
    return (etcd, server) if etcd and server.is_file() else None


class Cluster:
    """Asked by kubectl, as an administrator."""

    def __init__(self, port: int, token: str) -> None:
        kubectl = str(Path(sys.executable).with_name("kubectl"))
        address = f"https://127.0.0.1:{port}"
        self._command = [kubectl, "--server", address, "--token", token, "--insecure-skip-tls-verify"]

    def __call__(self, *arguments: str | Path, given: str | None = None) -> str:
        """What kubectl prints, warnings too; AssertionError with it where it fails. `given` is its standard input."""
        done = self.tried(*arguments, given=given)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def tried(self, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """One call of kubectl, both outputs in one."""
        command = [*self._command, *map(str, arguments)]
        return subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=CALLED_WITHIN_S,
            check=False,
        )


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start both on free ports, with all they write in an empty folder; ends them."""
    found = binaries()
    assert found is not None, f"{VARIABLE} names no folder with etcd and kube-apiserver"
    etcd, server = found
    store, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    port, token, accounts = free_port(), secrets.token_hex(), folder / "accounts.key"
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    _accounts_key(accounts)
    for_etcd = {
        "data-dir": folder / "etcd",
        "listen-client-urls": store,
        "advertise-client-urls": store,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
    }
    for_server = {
        "etcd-servers": store,
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "cert-dir": folder / "tls",
        "token-auth-file": folder / "tokens.csv",
        "authorization-mode": "RBAC",
        "service-account-issuer": "https://accounts",
        "service-account-key-file": accounts,
        "service-account-signing-key-file": accounts,
        "service-cluster-ip-range": "10.0.0.0/24",
        # Nobody makes the accounts that pods would be given.
        "disable-admission-plugins": "ServiceAccount",
    }
    log = folder / "kube-apiserver.log"
    with _running(etcd, for_etcd, folder / "etcd.log"), _running(server, for_server, log):
        made = Cluster(port, token)
        _wait(made, log)
        yield made


def _accounts_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))


@contextmanager
def _running(program: Path, options: Mapping[str, object], log: Path) -> Iterator[None]:
    command = [program, *(f"--{name}={value}" for name, value in options.items())]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(asked: Cluster, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while asked.tried("get", "--raw", "/readyz").returncode != 0:
        assert time.monotonic() < until, log.read_text()[-2000:]
        time.sleep(0.5)
