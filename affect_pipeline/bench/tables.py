"""Benchmark tables: printed for people, written as JSON for whoever compares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affect_pipeline import files


def show(title: str, rows: Sequence[dict[str, Any]], note: str = "") -> None:
    """Print rows of one shape as a table.

    Parameters
    ----------
    title : str
        Stands above it.
    rows : sequence of dict
        The first row names the columns; numbers below one are printed as shares with two decimals.
    note : str
        Stands below it.
    """
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, caption=note or None, title_justify="left", caption_justify="left")
    for k, name in enumerate(rows[0] if rows else ()):
        table.add_column(name, justify="left" if k == 0 else "right", no_wrap=k == 0)
    for row in rows:
        table.add_row(*[_text(value) for value in row.values()])
    Console(width=max(Console().width, 150)).print(table)


def write(path: Path | None, content: dict[str, Any]) -> None:
    """Write the results as JSON, if a file was asked for."""
    if path is not None:
        files.write_json(content, path)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
