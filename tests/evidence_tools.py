"""Inputs for tests of evidence: a frame, an alert about it, and a site's signing key."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from archive.evidence.files import Files
from contracts.messages import Alert, Evidence, Frame, FrameRef
from tests.builders import jpeg_of
from vault.signing import SigningKey, signing_key

AT_MS = 1_767_571_200_000
"""2026-01-05 00:00 UTC."""


def key() -> SigningKey:
    """A new key."""
    with tempfile.TemporaryDirectory() as folder:
        return signing_key({}, Path(folder) / "signing.key")


KEY = key()


def frame(at_ms: int = AT_MS, grey: int = 60, size: tuple[int, int] = (160, 90), **changes: Any) -> Frame:
    """A frame of one grey, `size` (width, height) in the JPEG."""
    jpeg = jpeg_of(np.full((size[1], size[0], 3), grey, np.uint8))
    values: dict[str, Any] = {
        "site": "home",
        "camera": "gate",
        "session": 3,
        "index": 44,
        "captured_at_ms": at_ms,
        "width": 640,
        "height": 360,
        "detail": False,
        "motion": 0.1,
        "sha256": hashlib.sha256(jpeg).hexdigest(),
        "jpeg": jpeg,
    }
    return Frame(**(values | changes))


def evidence(offset: int, at_ms: int = AT_MS, confidence: float = 0.5, detail: bool = False) -> Evidence:
    """What a frame at `offset` shows."""
    return Evidence(
        ref=FrameRef("frames.home", 0, offset),
        captured_at_ms=at_ms,
        width=640,
        height=360,
        xyxy=(100.0, 100.0, 200.0, 300.0),
        confidence=confidence,
        detail=detail,
    )


def alert(revision: int = 1, seen: Evidence | None = None, **changes: Any) -> Alert:
    """A revision of an alert that began at AT_MS."""
    values: dict[str, Any] = {
        "id": "0e7a",
        "revision": revision,
        "state": "new" if revision == 1 else "update",
        "site": "home",
        "camera": "gate",
        "rule": "yard",
        "rule_version": 2,
        "kind": "zone_entry",
        "severity": "high",
        "started_at_ms": AT_MS,
        "at_ms": AT_MS + revision,
        "label": "person",
        "why": "A person came in",
        "evidence": seen,
        "model": "m@1",
        "config_version": "c1",
    }
    return Alert(**(values | changes))


def behaves(files: Files) -> None:
    """Look at what every kind of place has to do; `files` is empty."""
    assert files.read("a/b.json") is None
    assert files.size("a/b.json") is None
    assert files.part("a/b.json", 0, 4) is None
    assert files.folders("") == []
    assert files.paths("a") == []
    files.delete("a/b.json")
    files.write("a/b.json", b"0123456789")
    files.write("a/b.json", b"abcdefghij")
    assert files.read("a/b.json") == b"abcdefghij"
    assert files.size("a/b.json") == 10
    assert files.part("a/b.json", 2, 5) == b"cde"
    assert files.part("a/b.json", 8, 50) == b"ij"
    assert files.part("a/b.json", 4, 4) == b""
    assert files.create("a/c/new", b"first")
    assert not files.create("a/c/new", b"second")
    assert files.read("a/c/new") == b"first"
    files.write("ab/x", b"")
    assert files.read("ab/x") == b""
    assert files.folders("") == ["a", "ab"]
    assert files.folders("a") == ["c"]
    assert files.paths("a") == ["a/b.json", "a/c/new"], "and not those of `ab`"
    files.delete("a/b.json")
    assert files.paths("a") == ["a/c/new"]
    files.clear("a")
    files.clear("a")
    assert files.paths("") == ["ab/x"]
    assert files.place("ab/x").endswith("ab/x")
