"""The data dictionary: tables, views and columns in words, from the comments in the warehouse."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from affect_pipeline.warehouse.queries import sql

_HEAD = """\
# Data dictionary

Tables and views of the schema `affect`. This page is written from the `COMMENT`s in the warehouse by
`affect warehouse dictionary docs/data-dictionary.md`; change the comments, not the page. A column in **bold** belongs
to the primary key. `[clock]` marks what `affect warehouse hash` leaves out: it says when or by whom, not what.
"""


def data_dictionary(engine: sa.Engine) -> str:
    """Return the data dictionary of a warehouse as Markdown."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text(sql("ledger/describe_schema"))).all()
    parts = [_HEAD]
    for kind, of_kind in groupby(rows, attrgetter("kind")):
        parts.append(f"\n## {kind.capitalize()}s\n")
        for name, columns in groupby(of_kind, attrgetter("relation_name")):
            parts.append(_section(name, list(columns)))
    return "".join(parts)


def _section(name: str, columns: list[Any]) -> str:
    lines = [f"\n### {name}\n", columns[0].relation_comment or ""]
    if columns[0].partition_key:
        lines.append(f"\nPartitioned by `{columns[0].partition_key}`.")
    if columns[0].kind == "view":
        lines += ["", "| column | type |", "|---|---|"]
        lines += [f"| {column.column_name} | {column.data_type} |" for column in columns]
    else:
        lines += ["", "| column | type | | |", "|---|---|---|---|"]
        lines += [_row(column) for column in columns]
    return "\n".join(lines) + "\n"


def _row(column: Any) -> str:
    name = f"**{column.column_name}**" if column.is_key else column.column_name
    required = "required" if column.is_required and not column.is_key else ""
    comment = (column.column_comment or "").replace("|", "\\|")
    return f"| {name} | {column.data_type} | {required} | {comment} |"
