"""Inputs for tests of the registry: a tiny model in versions, and a registry in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from archive.evidence.files import Folder
from archive.registry import Decision, Registry
from tests.builders import DATA, manifest_of
from vault import signing_key

SITE = "home"
AT_MS = 1_767_603_600_000


def opened(folder: Path) -> Registry:
    """The registry in `folder`/registry, its signing key beside it."""
    key = signing_key({}, folder / "signing.key")
    return Registry(Folder(folder / "registry"), [key.public], lambda: AT_MS, key)


def made(folder: Path, version: str, **changes: Any) -> Path:
    """A trained model as it would be registered: its manifest's file, with model and card beside it."""
    out = folder / "trained" / version
    out.mkdir(parents=True, exist_ok=True)
    manifest = manifest_of(DATA / "bright_boxes.onnx", **({"name": "detector", "version": version} | changes))
    shutil.copy(DATA / manifest.file, out)
    file = out / f"{manifest.name}.json"
    file.write_bytes(msgspec.json.encode(manifest))
    file.with_suffix(".md").write_text(f"# detector {version}")
    file.with_suffix(".learnt").write_text(f"{'0' * 64}\n{'1' * 64}\n")
    return file


def pass_gate(registry: Registry, id: str, against: str = "") -> Decision:
    """The gate's word that the version is better than another."""
    return registry.gated(id, passed=True, against=against, report=(b"{}", b"# good"), by="gate", why="better")
