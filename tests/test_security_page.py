"""The security page promises nothing without a test, and the tests it names are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def defined_in(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_exists() -> None:
    missing = [f"{file}::{name}" for file, name in NAMED if name not in defined_in(ROOT / file)]

    assert len(NAMED) > 40
    assert missing == []


def test_every_promise_names_its_test() -> None:
    promises = PAGE.partition("## Promises")[2].partition("## What is left to the operator")[0]
    rows = [line for line in promises.splitlines() if line.startswith("|")]
    bare = [row for row in rows if not re.search(r"`tests/|^\| promise|^\|---", row)]

    assert len(rows) > 40
    assert bare == []


def test_the_page_calls_the_data_what_it_is() -> None:
    assert "pseudonymised PHI" in PAGE
    assert "de-identified" not in PAGE.lower()
    assert "anonym" not in PAGE.lower()
