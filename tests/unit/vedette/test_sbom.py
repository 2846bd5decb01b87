"""The bill of materials: Python's packages as they are said, our jars by digest, and the list of licences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vedette.jars import locked
from vedette.sbom import main

BILL = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "components": [
        {"type": "library", "bom-ref": "numpy==2.1.3", "name": "numpy", "version": "2.1.3", "licenses": [{"license": {"id": "BSD-3-Clause"}}]},  # noqa: E501
        {"type": "library", "bom-ref": "zed==1", "name": "Zed", "version": "1", "licenses": [{"expression": "MIT OR GPL-2.0"}]},  # noqa: E501
        {"type": "library", "bom-ref": "odd==1", "name": "odd", "version": "1"},
    ],
}  # fmt: skip


def test_jars_come_in_by_digest_once_and_licences_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sbom.json"
    file.write_text(json.dumps(BILL))
    for _ in range(2):
        assert main([str(file), "--jars", "flink"]) == 0
    said = capsys.readouterr().out.splitlines()
    (jar,) = locked("flink")
    assert said[: len(said) // 2] == [
        f"{jar.artifact} {jar.version}: not said by the package",
        "numpy 2.1.3: BSD-3-Clause",
        "odd 1: not said by the package",
        "Zed 1: MIT OR GPL-2.0",
    ]
    *python, java = json.loads(file.read_text())["components"]
    assert python == BILL["components"]
    assert java["purl"] == f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}"
    assert java["hashes"] == [{"alg": "SHA-256", "content": jar.sha256}]
