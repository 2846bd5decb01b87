"""The bill of materials of an environment: `python -m vedette.sbom SBOM.json [--jars LOCK ...]`.

Takes what cyclonedx-py says of the Python packages (CycloneDX JSON), adds the Java libraries of our locks to it, and
prints the list of licences.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vedette.jars import Jar, locked

UNSAID = "not said by the package"


def with_jars(bill: dict[str, Any], jars: Iterable[Jar]) -> dict[str, Any]:
    """The bill with these libraries too, each once."""
    known = {component["bom-ref"] for component in bill["components"]}
    more = [component for component in map(_component, jars) if component["bom-ref"] not in known]
    return {**bill, "components": [*bill["components"], *more]}


def licences(bill: dict[str, Any]) -> str:
    """A line a component: name, version, licences."""
    lines = []
    for component in bill["components"]:
        said = [_said(one) for one in component.get("licenses", [])]
        lines.append(f"{component['name']} {component['version']}: {', '.join(said) or UNSAID}")
    return "\n".join(sorted(lines, key=str.lower)) + "\n"


def _component(jar: Jar) -> dict[str, Any]:
    place = f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}"
    return {
        "type": "library",
        "bom-ref": place,
        "purl": place,
        "group": jar.group,
        "name": jar.artifact,
        "version": jar.version,
        "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
    }


def _said(one: dict[str, Any]) -> str:
    """CycloneDX has an expression, or a licence by its SPDX id, or by any name."""
    licence = one.get("license", {})
    return str(one.get("expression") or licence.get("id") or licence.get("name") or UNSAID)


def main(arguments: list[str] | None = None) -> int:
    """Add, write, print; raises OSError."""
    parser = argparse.ArgumentParser(prog="python -m vedette.sbom", description=__doc__)
    parser.add_argument("bill", type=Path, metavar="SBOM.json", help="is added to")
    parser.add_argument("--jars", nargs="*", choices=("broker", "flink"), default=[], help="the locks of what is there")
    given = parser.parse_args(arguments)
    bill = with_jars(json.loads(given.bill.read_text()), [jar for name in given.jars for jar in locked(name)])
    given.bill.write_text(json.dumps(bill, indent=1))
    sys.stdout.write(licences(bill))
    return 0


if __name__ == "__main__":
    sys.exit(main())
