"""From data frames to the text that PostgreSQL's COPY reads, exactly: floats keep every bit, NaN becomes NULL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_ARROW_TYPES = {
    "text": pa.string(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "double precision": pa.float64(),
    "real": pa.float32(),
    "integer": pa.int64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
}

Frame: TypeAlias = pd.DataFrame | pa.Table


def column_names(frame: Frame) -> list[str]:
    """Return the names of the columns."""
    return list(frame.column_names) if isinstance(frame, pa.Table) else [str(name) for name in frame.columns]


def as_copy_table(frame: Frame, types: Sequence[tuple[str, str]]) -> pa.Table:
    """Return a table whose columns print as PostgreSQL wants to read them.

    Parameters
    ----------
    frame : pandas.DataFrame or pyarrow.Table
        Rows to load; may hold more columns than are asked for.
    types : sequence of (str, str)
        Columns wanted, in order, each with its PostgreSQL type.

    Raises
    ------
    ValueError
        If a value does not fit its column, for instance 1.5 for an integer; names the column.
    """
    columns = [_column(frame, name, sql_type) for name, sql_type in types]
    return pa.table(columns, names=[name for name, _ in types])


def _column(frame: Frame, name: str, sql_type: str) -> pa.Array | pa.ChunkedArray:
    values = frame.column(name) if isinstance(frame, pa.Table) else frame[name]
    try:
        if sql_type in _ARROW_TYPES:
            return _plain(_to_arrow(values), _ARROW_TYPES[sql_type])
        if isinstance(values, pa.ChunkedArray) and pa.types.is_string(values.type):
            return values  # written as a literal already
        objects = values.to_pylist() if isinstance(values, pa.ChunkedArray) else values.tolist()
        return pa.array([_as_text(value, sql_type) for value in objects], pa.string())
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ValueError(f"column {name} does not fit {sql_type}: {error}") from error


def _to_arrow(values: pa.ChunkedArray | pd.Series[Any]) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray):
        return values
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return pa.array(values.dt.tz_convert(None).to_numpy(), from_pandas=True)
    return pa.array(values, from_pandas=True)


def _plain(values: pa.Array | pa.ChunkedArray, wanted: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    if pa.types.is_timestamp(values.type) and values.type.tz is None:
        values = pc.cast(values, pa.timestamp("us"))
    return values if values.type == wanted else pc.cast(values, wanted)


def _as_text(value: Any, sql_type: str) -> str | None:
    """Return the literal of a value that Arrow does not print itself: arrays, JSON and bytes."""
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN stands for missing
        return None
    if sql_type == "jsonb":
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    if sql_type == "bytea":
        return "\\x" + bytes(value).hex()
    if sql_type.endswith("[]"):
        return value if isinstance(value, str) else _array_literal(value)
    raise TypeError(f"the type {sql_type} is not loaded by COPY here")


def _array_literal(values: Iterable[Any]) -> str:
    return "{" + ",".join(_array_element(value) for value in values) + "}"


def _array_element(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN stands for missing
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value) if isinstance(value, int) else repr(float(value))
