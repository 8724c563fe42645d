from __future__ import annotations

import ast
from pathlib import Path

from affect_pipeline.quality.describe import REASONS, contract_table, reasons_table

ROOT = Path(__file__).resolve().parents[2]
RAISING = ("JournalError", "SidecarError", "DecodeError", "_malformed")


def reasons_in_code() -> set[str]:
    """Return the reasons that the code gives: first arguments of its errors, and of ``problem=``."""
    found = set()
    sources = [
        *(ROOT / "affect_pipeline" / "journals").glob("*.py"),
        ROOT / "affect_pipeline" / "stages" / "measure.py",
    ]
    for source in sources:
        for call in (node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)):
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            given = [keyword.value for keyword in call.keywords if keyword.arg == "problem"]
            given += call.args[:1] if name in RAISING[:3] else call.args[2:3] if name == "Measured" else []
            found |= {node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return found


def test_every_problem_is_explained_and_nothing_else() -> None:
    assert reasons_in_code() == set(REASONS)


def test_the_documentation_holds_the_contract_as_it_is() -> None:
    text = (ROOT / "docs" / "audio-quality.md").read_text()
    assert contract_table() in text
    assert reasons_table() in text
