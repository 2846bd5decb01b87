"""The registry under kill -9: no half version, no half promotion, and a topic that says the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archive.registry import Registry, Standing, held, registry_of
from bus.admin import create_topics
from bus.reader import Reader
from contracts import topics
from contracts.config_file import load
from contracts.controls import Control, SetModel
from tests.gate_tools import bright_set
from tests.registry_tools import AT_MS, made
from training.gate.sets import SetEntry, read_set
from vault import signing_key
from vedette.broker import Broker
from vedette.cli import main

KILLS, LONGEST_S = 10, 0.3
WORK = """
import os, sys
from pathlib import Path
import vedette.models
from vedette.cli import main
from tests.registry_tools import made

folder, *site = sys.argv[1:]

def work(first):
    for version in range(first, 1000):
        main(["models", "register", str(made(Path(folder), str(version))), *site[:4]])
        main(["models", "gate", f"detector@{version}", "--sets", f"{folder}/gate.yaml", *site[:4]])
        main(["models", "promote", f"detector@{version}", "--stage", "everywhere", "--force", "test", *site])

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os.dup2(2, 1)
        work(int(line))
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("dead", flush=True)
"""


@contextmanager
def workers(folder: Path, site: list[str]) -> Iterator[subprocess.Popen[str]]:
    """For each number that it is told, a process that registers, gates and promotes versions from there on."""
    command = [sys.executable, "-c", WORK, str(folder), *site]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        try:
            yield process
        finally:
            process.kill()


def work_until_killed(process: subprocess.Popen[str], site: list[str], more: int, after_s: float) -> None:
    """Let it work until there are so many more decisions, and then a little longer."""
    assert process.stdin is not None
    assert process.stdout is not None
    registry = opened(site)
    wanted = len(registry.decisions()) + more
    process.stdin.write(f"{max(2, len(registry.versions()))}\n")
    pid = int(process.stdout.readline())
    until_s = time.monotonic() + 60
    while len(registry.decisions()) < wanted:
        assert time.monotonic() < until_s, "it does not come on"
        time.sleep(0.005)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    assert process.stdout.readline() == "dead\n"


@pytest.mark.broker
@pytest.mark.timeout(240)
def test_killed_at_any_moment_there_is_no_half_version_and_no_half_promotion(broker: Broker, tmp_path: Path) -> None:
    create_topics(broker.bootstrap, topics.specs(f"models-{uuid.uuid4().hex[:8]}", 1, keep_forever=True))
    site, name = site_in(tmp_path)
    bright_set(tmp_path)
    entry = SetEntry(name="bright", annotations="set.json")
    frozen = read_set(entry, tmp_path).frozen.sha256
    gate = {"sets": [{"name": "bright", "annotations": "set.json", "sha256": frozen}], "limits": {"resamples": 20}}
    (tmp_path / "gate.yaml").write_text(json.dumps(gate))
    at = random.Random(7)
    with workers(tmp_path, [*site, "--bootstrap", broker.bootstrap]) as process:
        for _ in range(KILLS):
            work_until_killed(process, site, at.randint(0, 4), at.uniform(0.0, LONGEST_S))
            registry = opened(site)
            for version in registry.versions():
                registry.verify(version.id)
            now = registry.standing(name).get("detector", Standing()).in_service
            for decision in registry.decisions():
                assert decision.kind != "gated" or json.loads(registry.figures(decision))["candidate"] == decision.model
            promoted = [one.model for one in registry.decisions() if one.kind == "promoted"]
            assert now == (promoted[-1] if promoted else "")
            assert main(["models", "sync", *site, "--bootstrap", broker.bootstrap]) == 0
            if now:
                told = topic(broker, name)["model//detector"].change
                assert isinstance(told, SetModel)
                assert told.manifest == registry.manifest(now)


def site_in(folder: Path) -> tuple[list[str], str]:
    """A site of its own that starts with the tiny model: the arguments that say where it is, and its name."""
    name = f"models-{uuid.uuid4().hex[:8]}"
    key = signing_key({}, folder / "state/archive/models.key").public
    config = folder / "my.yaml"
    config.write_text(
        f"site: {{name: {name}}}\ncameras: {{gate: {{inputs: [{{url: clip.mp4}}]}}}}\n"
        f"models: {{folder: {folder}/registry, trusted_keys: ['{key}']}}\nstream: {{model: {made(folder, '1')}}}\n"
    )
    return ["--config", str(config), "--state", str(folder / "state")], name


def opened(site: list[str]) -> Registry:
    found = registry_of(load(Path(site[1])).models, lambda: AT_MS)
    assert found is not None
    return found


def topic(broker: Broker, name: str) -> dict[str, Control]:
    with Reader(broker.bootstrap, topics.CONTROLS) as reader:
        return held((record.value for record in reader.held()), name)
