"""The OMOP CDM views as files: one a table, ready for the CDM's own DDL."""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import sqlalchemy as sa

from affect_pipeline.files import atomic_path
from affect_pipeline.privacy.audit import record
from affect_pipeline.settings import Settings

TABLES = ("cdm_source", "concept", "vocabulary", "person", "observation_period", "measurement", "observation")
"""Tables in the order they can be loaded in."""

NUMBERED = {"measurement": "measurement_id", "observation": "observation_id"}
"""Ids that the CDM holds in 31 bits; in files they are numbered from 1, in the views they follow from content."""

PAGE = 20_000
_TYPES = {
    "integer": pa.int32(), "bigint": pa.int64(), "numeric": pa.float64(), "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
}  # fmt: skip

Format = Literal["csv", "parquet"]


@dataclass(frozen=True)
class OmopExport:
    """What was written.

    Parameters
    ----------
    counts : dict
        Rows by table.
    n_without_age : int
        Patients who are left out because their age band is not known.
    """

    counts: dict[str, int]
    n_without_age: int


def export(
    settings: Settings,
    folder: Path,
    file_format: Format = "csv",
    patient_key: str | None = None,
    actor: str | None = None,
) -> OmopExport:
    """Write the views, for their owner's eyes only; all of them show one moment.

    Parameters
    ----------
    settings : Settings
        The installation.
    folder : Path
        Where the files go: ``measurement.csv`` and so on.
    file_format : str
        ``csv`` (with a header, empty for null) or ``parquet``.
    patient_key : str, optional
        Only this patient.
    actor : str, optional
        Who asked for it; by default the system user.
    """
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    counts = {}
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        only = None
        if patient_key is not None:
            only = connection.execute(_query("find_person"), {"patient_key": patient_key}).scalar() or 0
        for table in TABLES:
            counts[table] = _write(connection, table, folder / f"{table}.{file_format}", file_format, only)
        without = connection.execute(_query("count_persons_without_age")).scalar_one()
    with engine.begin() as connection:
        record(connection, "omop_exported", patient_key, actor, rows=counts)
    return OmopExport(counts, int(without))


def _write(connection: sa.Connection, table: str, path: Path, file_format: Format, person: int | None) -> int:
    columns = connection.execute(_query("list_omop_columns"), {"table_name": table}).all()
    schema = pa.schema([(row.column_name, _type(table, row.column_name, row.data_type)) for row in columns])
    values = {"person_id": person} if "person_id" in schema.names else {}
    result = connection.execution_options(yield_per=PAGE).execute(_query(f"read_omop_{table}"), values)
    n_rows = 0
    with atomic_path(path) as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        writer = (pyarrow.csv.CSVWriter if file_format == "csv" else pyarrow.parquet.ParquetWriter)(temporary, schema)
        with writer:
            for rows in result.mappings().partitions():
                numbers = ({NUMBERED[table]: n_rows + 1 + k} if table in NUMBERED else {} for k in range(len(rows)))
                batch = [_plain(row) | number for row, number in zip(rows, numbers, strict=True)]
                writer.write_table(pa.Table.from_pylist(batch, schema))
                n_rows += len(batch)
    return n_rows


def _plain(row: sa.RowMapping) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def _type(table: str, column: str, sql_type: str) -> pa.DataType:
    return pa.int32() if NUMBERED.get(table) == column else _TYPES.get(sql_type, pa.string())


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"interop/{name}"))
