"""Bulk loads: COPY into a staging table, then one set-based statement a table.

What happens to a row that is there already stands in ``sql/load/<table>.sql``, one file a table. Every rule gives the
same rows whatever the order and however often the same frames are loaded.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import sqlalchemy as sa
from psycopg import sql as psql

from affect_pipeline.errors import LoadError
from affect_pipeline.warehouse.frames import Frame, as_copy_table, column_names
from affect_pipeline.warehouse.queries import sql

ROWS_PER_CHUNK = 65_536

# Loads that write only some columns of a table: name -> (table, columns).
_PARTIAL = {"journal_verdicts": ("journals", ("journal_id", "status", "failed", "warned"))}

# Tables with a partition a month. Journals have none, but moving one moves its scores and biomarkers.
_MONTHLY = {
    "scores": ("scores",),
    "biomarkers": ("biomarkers",),
    "monitored_days": ("monitored_days",),
    "journals": ("scores", "biomarkers"),
}


def upsert(connection: sa.Connection, table: str, frame: Frame) -> int:
    """Write rows of one table, inside the transaction of ``connection``.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Open connection; the caller commits.
    table : str
        Name of a table of the warehouse, or ``"journal_verdicts"``, which sets ``status``, ``failed`` and ``warned``
        of journals that are there.
    frame : pandas.DataFrame or pyarrow.Table
        Rows with exactly the table's columns, in any order. Columns with a default may be left out: what is there
        stays. NaN and None become NULL; JSON columns take dicts, lists or JSON text.

    Returns
    -------
    int
        Rows in the frame.

    Raises
    ------
    LoadError
        If there is no such load, or columns are missing, unknown or do not fit.
    """
    statement = _statement(table)
    rows = _rows(connection, table, frame)
    if rows.num_rows == 0:
        return 0
    cursor = connection.connection.driver_connection
    assert cursor is not None
    with _staging(cursor, table) as staging:
        _copy(cursor, staging, rows)
        cursor.execute(sql("load/tune_session"))
        cursor.execute(statement)
        cursor.execute(sql("load/restore_session"))
    return int(rows.num_rows)


def append(connection: sa.Connection, table: str, frame: Frame) -> int:
    """Write rows that cannot be there yet, inside the transaction of ``connection``; see `upsert`, which costs more.

    Where policies are in force for the login, COPY takes no rows, and this is `upsert`.

    Raises
    ------
    LoadError
        If columns are missing, unknown or do not fit.
    psycopg.errors.UniqueViolation
        If a row is there already.
    """
    if connection.execute(sa.text(sql("load/is_row_security_active")), {"table": f"affect.{table}"}).scalar_one():
        return upsert(connection, table, frame)
    rows = _rows(connection, table, frame)
    if rows.num_rows:
        _copy(connection.connection.driver_connection, psql.Identifier("affect", table), rows)
    return int(rows.num_rows)


def ensure_months(connection: sa.Connection, table: str, days: pa.ChunkedArray | Iterable[dt.date]) -> int:
    """Make the monthly partitions that rows of these days need; returns how many were made.

    They are made in a transaction of their own, so that a long load holds up nobody else's.
    """
    array = days if isinstance(days, pa.ChunkedArray | pa.Array) else pa.array(days, pa.date32())
    unique = {day.replace(day=1) for day in pc.unique(array).to_pylist() if day is not None}
    arguments: dict[str, Any] = {"table": table, "months": sorted(unique)}
    missing = connection.execute(sa.text(sql("load/list_missing_months")), arguments).scalars().all()
    if not missing:
        return 0
    with connection.engine.begin() as apart:
        made = apart.execute(sa.text(sql("load/make_months")), {"table": table, "months": list(missing)}).scalar_one()
    return int(made)


def _statement(table: str) -> str:
    try:
        return sql(f"load/{table}")
    except KeyError as error:
        raise LoadError(f"there is no load called {table!r} (sql/load/{table}.sql)") from error


def _rows(connection: sa.Connection, table: str, frame: Frame) -> pa.Table:
    """Return a frame as COPY takes it, after making the partitions that its rows need."""
    types = _types(connection, table, column_names(frame))
    try:
        rows = as_copy_table(frame, types)
    except ValueError as error:
        raise LoadError(f"affect.{table}: {error}") from error
    if rows.num_rows:
        for parent in _MONTHLY.get(table, ()):
            ensure_months(connection, parent, rows.column("local_day"))
    return rows


def _types(connection: sa.Connection, table: str, given: list[str]) -> list[tuple[str, str]]:
    """Return (column, type) of what is to be loaded, after checking that the frame has it all and nothing else."""
    target, only = _PARTIAL.get(table, (table, None))
    described = connection.execute(sa.text(sql("load/describe_columns")), {"table": target}).all()
    known = {name: (data_type, default) for name, data_type, default in described if only is None or name in only}
    if unknown := sorted(set(given) - set(known)):
        raise LoadError(f"affect.{table} has no column {', '.join(unknown)}; it has {', '.join(known)}")
    optional = {name for name, (_, default) in known.items() if default and only is None}
    if missing := [name for name in known if name not in given and name not in optional]:
        raise LoadError(f"rows for affect.{table} lack {', '.join(missing)}")
    return [(name, data_type) for name, (data_type, _) in known.items() if name in given]


class _staging:  # noqa: N801 - used like a function
    """A temporary table without constraints, shaped like the target."""

    def __init__(self, cursor: Any, table: str) -> None:
        self.cursor = cursor
        self.name = psql.Identifier("pg_temp", f"staging_{table}")
        self.target = psql.Identifier("affect", _PARTIAL.get(table, (table, None))[0])
        self.table = psql.Identifier(f"staging_{table}")

    def __enter__(self) -> psql.Identifier:
        make = psql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT * FROM {} WITH NO DATA")
        self.cursor.execute(make.format(self.table, self.target))
        return self.name

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # after an error the transaction is lost, and the table with it
            self.cursor.execute(psql.SQL("DROP TABLE {}").format(self.name))


def _copy(connection: Any, target: psql.Identifier, rows: pa.Table) -> None:
    columns = psql.SQL(", ").join(map(psql.Identifier, rows.column_names))
    statement = psql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target, columns)
    options = pacsv.WriteOptions(include_header=False, quoting_style="needed")
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for batch in rows.to_batches(max_chunksize=ROWS_PER_CHUNK):
            buffer = io.BytesIO()
            pacsv.write_csv(batch, buffer, options)
            copy.write(buffer.getbuffer())
