"""From the arrays of `Output` to the rows of the warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from affect_pipeline.monitoring.arrays import Floats, Ints, Texts
from affect_pipeline.monitoring.channels import ADHERENCE, VOICE, VOICE_NAMES
from affect_pipeline.monitoring.output import Output


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

    def column(values: Floats) -> pa.Array:
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


def baseline_rows(outputs: Iterable[Output], model_digest: str) -> pd.DataFrame | None:
    """Return baselines, the newest of each patient and channel."""
    newest_rows: dict[tuple[bytes, str], dict[str, Any]] = {}
    for output in outputs:
        newest_rows |= output.baselines
    _spread_withdrawn(newest_rows)
    if not newest_rows:
        return None
    rows = [
        {"patient_key": key.decode(), "model_digest": model_digest, "channel": channel} | row
        for (key, channel), row in sorted(newest_rows.items())
    ]
    return pd.DataFrame(rows)


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
