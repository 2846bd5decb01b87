"""Whether Docker's own loader of compose files takes deploy/compose.yaml, with the secrets that its script makes.

    python -m tests.bench compose

compose-go is what `docker compose` reads files with: anchors, defaults, env files, and who depends on whom. Go gets and
builds it (a minute, from its module proxy); there need be no Docker.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.report import Row, missing

LOADER, VERSION = "github.com/compose-spec/compose-go/v2/cli", "v2.9.0"
PROGRAM = """package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv, cli.WithDotEnv)
	if err == nil {
		_, err = options.LoadProject(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
"""
DEPLOY = Path(__file__).parents[2] / "deploy"
WHAT = "Docker's own loader takes deploy/compose.yaml"


def compose(say: Callable[[str], None]) -> list[Row]:
    """A row for the file, and one that shows that the loader refuses one with a fault."""
    with tempfile.TemporaryDirectory(prefix="vedette-compose-") as name:
        folder = Path(name)
        if fault := _build(folder):
            return [missing("compose", WHAT, fault)]
        shutil.copytree(DEPLOY, folder / "deploy")
        subprocess.run([folder / "deploy" / "compose" / "secrets.sh"], check=True, capture_output=True)
        file = folder / "deploy" / "compose.yaml"
        said, text = _told(folder, file), file.read_text()
        file.write_text(text.replace("topics: {condition:", "nobody: {condition:"))
        refused = _told(folder, file)
    say(f"  with a service that waits for nobody it says: {refused}")
    return [
        Row("compose", WHAT, said or "taken", "taken", not said),
        Row("compose", "and refuses a service that waits for none that is there", refused, "refused", bool(refused)),
    ]


def _build(folder: Path) -> str:
    """Build the loader there; why not, where it can't be."""
    if shutil.which("go") is None:
        return "there is no Go"
    (folder / "main.go").write_text(PROGRAM)
    for words in (("mod", "init", "loader"), ("get", f"{LOADER}@{VERSION}"), ("build", "-o", "loader")):
        done = subprocess.run(["go", *words], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1]
    return ""


def _told(folder: Path, file: Path) -> str:
    """What the loader has against the file; empty for nothing."""
    done = subprocess.run([folder / "loader", file.name], cwd=file.parent, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr + done.stdout).strip().splitlines()[-1]
