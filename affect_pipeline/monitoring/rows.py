"""From the arrays of `Output` to the rows of the warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from affect_pipeline.monitoring.arrays import Floats, Ints, Texts
from affect_pipeline.monitoring.channels import ADHERENCE, VOICE, VOICE_NAMES
from affect_pipeline.monitoring.output import Output, ReadyBaselines


def newest(patient: Texts, day: Ints) -> Ints:
    """Return the rows that count: the last one of each patient and day, ordered by both."""
    order = np.lexsort((np.arange(len(day)), day, patient))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (patient[order][1:] != patient[order][:-1]) | (day[order][1:] != day[order][:-1])
    return order[last]


def day_rows(outputs: Iterable[Output], model_digest: str) -> pa.Table | None:
    """Return one row a patient and day: day values of all channels, and what the charts said where they judged."""
    outputs = list(outputs)
    values = [part for output in outputs for part in output.day_values]
    if not values:
        return None
    day = _joined(values, ("patient", "day", "n_journals", "values", "se"))
    table: dict[str, Any] = {
        "patient_key": _keys(day["patient"]), "model_digest": pa.repeat(model_digest, len(day["day"])),
        "local_day": _days(day["day"]), "n_journals": day["n_journals"],
    }  # fmt: skip
    for c, channel in enumerate(VOICE):
        table[channel.name] = pa.array(day["values"][:, c], from_pandas=True)
        if channel.se_source:
            table[f"{channel.name}_se"] = pa.array(day["se"][:, c], from_pandas=True)
    return pa.table(table | _chart_columns(outputs, day))


def _chart_columns(outputs: list[Output], day: dict[str, Any]) -> dict[str, pa.Array]:
    """Return what the charts said of the given days, NULL where they did not judge."""
    parts = [part for output in outputs for part in output.chart_days]
    n = len(day["day"])
    judged, rows = np.zeros(n, dtype=bool), np.zeros(0, dtype=np.int64)
    empty = np.zeros((0, len(VOICE)))
    chart: dict[str, Any] = {"expected": empty, "low": empty, "recent": empty, "statistic": empty, "limit": empty}
    if parts:
        chart = _joined(parts, ("patient", "day", *chart))
        rows = np.searchsorted(_identity(day["patient"], day["day"]), _identity(chart["patient"], chart["day"]))
        judged[rows] = True

    def column(values: npt.NDArray[Any]) -> pa.Array:
        full = np.zeros(n, dtype=values.dtype)
        full[rows] = values
        return pa.array(full, mask=~judged)

    found = {}
    for c, channel in enumerate(VOICE):
        expected = chart["expected"][:, c]
        found[f"{channel.name}_expected"] = column(expected.astype(np.float32))
        found[f"{channel.name}_half_band"] = column((expected - chart["low"][:, c]).astype(np.float32))
        found[f"{channel.name}_level"] = column(chart["recent"][:, c].astype(np.float32))
    statistic, limit = (np.asarray(chart[name], dtype=float).reshape(-1) for name in ("statistic", "limit"))
    return found | {
        "statistic": column(statistic), "limit_value": column(limit), "signal": column(statistic >= limit),
    }  # fmt: skip


def _joined(parts: Sequence[Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the arrays of several parts as one, the last word on each patient and day, ordered by both."""
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    rows = newest(joined["patient"], joined["day"])
    return {name: array[rows] for name, array in joined.items()}


def _identity(patient: Texts, day: Ints) -> Texts:
    """Return a sortable name of each patient and day: the key, and the day as big-endian bytes."""
    keys = np.ascontiguousarray(patient, dtype="S32").view(np.uint8).reshape(len(patient), 32)
    days = np.asarray(day, dtype=">u4").view(np.uint8).reshape(len(day), 4)
    return np.ascontiguousarray(np.concatenate([keys, days], axis=1)).view("S36").reshape(-1)


_BASELINE = pa.schema([
    ("patient_key", pa.string()), ("model_digest", pa.string()), ("channel", pa.string()), ("segment", pa.int64()),
    ("state", pa.string()), ("reason", pa.string()), ("ready_on", pa.date32()), ("first_day", pa.date32()),
    ("last_day", pa.date32()), ("n_days", pa.int64()), ("mean", pa.float64()), ("sd", pa.float64()),
    ("autocorrelation", pa.float64()), ("weekday_effects", pa.string()), ("as_of_night", pa.date32()),
])  # fmt: skip


def baseline_rows(outputs: Iterable[Output], model_digest: str) -> pa.Table | None:
    """Return baselines, the newest of each patient and channel."""
    others: dict[tuple[bytes, str], dict[str, Any]] = {}
    told: dict[bytes, int] = {}
    ready = []
    for output in outputs:
        others |= output.baselines
        told |= dict.fromkeys((key for key, _ in output.baselines), output.night)
        ready += output.ready
    _spread_withdrawn(others)
    tables, newer = _ready_rows(ready, told, model_digest) if ready else ([], set())
    rows = [
        {"patient_key": key.decode(), "model_digest": model_digest, "channel": channel} | row
        for (key, channel), row in sorted(others.items())
        if key not in newer
    ]
    if rows:
        tables.append(pa.Table.from_pylist(rows, _BASELINE))
    return pa.concat_tables(tables) if tables else None


def _ready_rows(
    parts: list[ReadyBaselines], told: dict[bytes, int], model_digest: str
) -> tuple[list[pa.Table], set[bytes]]:
    """Return the newest ready baselines, a table a channel, and the patients whose other rows they replace."""
    columns = [field.name for field in fields(ReadyBaselines) if field.name != "night"]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    night = np.concatenate([np.full(len(part.patient), part.night) for part in parts])
    rows = newest(joined["patient"], np.zeros(len(night), dtype=np.int32))
    if told:
        said = np.array([told.get(key, -(2**30)) for key in joined["patient"][rows].tolist()])
        rows = rows[night[rows] > said]
    found = {name: array[rows] for name, array in joined.items()}
    n = len(rows)
    shared = {
        "patient_key": _keys(found["patient"]), "model_digest": pa.repeat(model_digest, n),
        "segment": pa.array(found["segment"], pa.int64()), "state": pa.repeat("ready", n),
        "reason": pa.nulls(n, pa.string()), "ready_on": _days(found["ready_day"]),
        "first_day": _days(found["first_day"]), "last_day": _days(found["last_day"]),
        "n_days": pa.array(found["n_days"], pa.int64()), "as_of_night": _days(night[rows]),
    }  # fmt: skip
    tables = []
    for c, channel in enumerate((*VOICE_NAMES, ADHERENCE)):
        weekday = _literals(found["weekday"][:, :, c]) if c < len(VOICE_NAMES) else pa.nulls(n, pa.string())
        own = {
            "channel": pa.repeat(channel, n), "weekday_effects": weekday,
            **{name: pa.array(found[name][:, c], pa.float64(), from_pandas=True) for name in _PER_CHANNEL},
        }  # fmt: skip
        table = shared | own
        tables.append(pa.table([table[name] for name in _BASELINE.names], schema=_BASELINE))
    return tables, set(joined["patient"][rows].tolist()) & set(told)


_PER_CHANNEL = ("mean", "sd", "autocorrelation")


def _literals(values: Floats) -> pa.Array:
    """Return the rows of an array as PostgreSQL writes arrays, without a Python object a number."""
    columns = [pc.cast(pa.array(values[:, k].astype(float)), pa.string()) for k in range(values.shape[1])]
    joined = pc.binary_join_element_wise(*columns, ",")
    return pc.binary_join_element_wise(pa.scalar("{"), joined, pa.scalar("}"), "")


def _spread_withdrawn(rows: dict[tuple[bytes, str], dict[str, Any]]) -> None:
    """Give every channel of a patient whose consent is gone a row that says so."""
    for key, channel in [key for key in rows if key[1] == ""]:
        gone = rows.pop((key, channel))
        empty = dict.fromkeys(("ready_on", "first_day", "last_day", "mean", "sd", "autocorrelation", "weekday_effects"))
        for name in (*VOICE_NAMES, ADHERENCE):
            rows[(key, name)] = {"segment": 0, "n_days": 0} | empty | gone


def alert_rows(outputs: Iterable[Output]) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return alerts as they stand, and their events."""
    alerts: dict[str, dict[str, Any]] = {}
    events: list[dict[str, Any]] = []
    for output in outputs:
        alerts |= output.alerts
        events += output.events
    rows = [
        row | {name: json.dumps(row[name], sort_keys=True) for name in ("channels", "evidence")}
        for _, row in sorted(alerts.items())
    ]
    return pd.DataFrame(rows) if rows else None, pd.DataFrame(events) if events else None


def _keys(patient: Texts) -> pa.Array:
    keys = np.ascontiguousarray(patient, dtype="S32")
    offsets = np.arange(len(keys) + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(offsets), pa.py_buffer(keys))


def _days(day: Ints) -> pa.Array:
    return pa.array(np.asarray(day, dtype=np.int32), pa.int32()).cast(pa.date32())
