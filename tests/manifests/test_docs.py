"""Pages that say "shown by a test": the test is there, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")

every_page = pytest.mark.parametrize("page", DOCS, ids=[page.stem for page in DOCS])


@every_page
def test_the_tests_that_it_names_are_there(page: Path) -> None:
    for file, name in TEST.findall(page.read_text()):
        assert (ROOT / file).is_file(), file
        assert not name or f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_threat_has_a_test_that_shows_what_stands_against_it() -> None:
    rows = [line for line in (ROOT / "docs" / "threat-model.md").read_text().splitlines() if line.startswith("| ")]
    threats = [row for row in rows if not re.search(r"\| shown by \|$", row)]
    assert len(threats) > 20
    assert [row for row in threats if not TEST.search(row.rsplit("|", 2)[1])] == []
