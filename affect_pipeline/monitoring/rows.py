"""From the arrays of `Output` to the rows of the warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from affect_pipeline.monitoring.arrays import Bools, Floats, Ints, Texts
from affect_pipeline.monitoring.channels import ADHERENCE, COMBINED, VOICE_NAMES
from affect_pipeline.monitoring.output import Output


def newest(patient: Texts, day: Ints) -> Ints:
    """Return the rows that count: the last one of each patient and day, ordered by both."""
    order = np.lexsort((np.arange(len(day)), day, patient))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (patient[order][1:] != patient[order][:-1]) | (day[order][1:] != day[order][:-1])
    return order[last]


def day_value_rows(outputs: Iterable[Output], model_digest: str) -> pa.Table | None:
    """Return day values, one row a patient, day and channel with a value."""
    parts = [part for output in outputs for part in output.day_values]
    if not parts:
        return None
    patient, day = (np.concatenate([getattr(part, name) for part in parts]) for name in ("patient", "day"))
    rows = newest(patient, day)
    values, se = (np.concatenate([getattr(part, name) for part in parts])[rows] for name in ("values", "se"))
    counts = np.concatenate([part.n_journals for part in parts])[rows]
    shared = _Days(_keys(patient[rows]), _days(day[rows]), model_digest)
    tables = []
    for c, channel in enumerate(VOICE_NAMES):
        seen = np.isfinite(values[:, c])
        tables.append(shared.table(channel, seen, {
            "value": values[:, c], "se": se[:, c], "n_journals": counts
        }))  # fmt: skip
    ones = np.ones(len(rows))
    tables.append(shared.table(ADHERENCE, ones > 0, {
        "value": ones, "se": np.full(len(rows), np.nan), "n_journals": counts
    }))  # fmt: skip
    return pa.concat_tables(tables)


def chart_day_rows(outputs: Iterable[Output], model_digest: str) -> pa.Table | None:
    """Return what the charts said: a row a channel, and the combined chart with its limit."""
    parts = [part for output in outputs for part in output.chart_days]
    if not parts:
        return None
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("patient", "day", "expected", "low", "high", "recent", "statistic", "limit")
    }
    rows = newest(joined["patient"], joined["day"])
    joined = {name: array[rows] for name, array in joined.items()}
    shared = _Days(_keys(joined["patient"]), _days(joined["day"]), model_digest)
    everyone = np.ones(len(rows), dtype=bool)
    signal = joined["statistic"] >= joined["limit"]
    nothing = np.full(len(rows), np.nan)
    tables = [
        shared.table(channel, everyone, {
            "expected": joined["expected"][:, c], "band_low": joined["low"][:, c], "band_high": joined["high"][:, c],
            "statistic": joined["recent"][:, c].astype(float), "limit_value": nothing,
            "signal": signal & (np.abs(joined["recent"][:, c]) >= 1.0),
        })
        for c, channel in enumerate(VOICE_NAMES)
    ]  # fmt: skip
    tables.append(shared.table(COMBINED, everyone, {
        "expected": nothing, "band_low": nothing, "band_high": nothing, "statistic": joined["statistic"],
        "limit_value": joined["limit"], "signal": signal,
    }))  # fmt: skip
    return pa.concat_tables(tables)


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


@dataclass(frozen=True)
class _Days:
    """Patients and days that the rows of several channels share."""

    keys: pa.Array
    days: pa.Array
    model_digest: str

    def table(self, channel: str, chosen: Bools, columns: dict[str, Floats | Ints | Bools]) -> pa.Table:
        """Return the rows of one channel."""
        n = len(self.keys)
        return pa.table({
            "patient_key": self.keys, "model_digest": pa.repeat(self.model_digest, n),
            "channel": pa.repeat(channel, n), "local_day": self.days,
            **{name: pa.array(column, from_pandas=True) for name, column in columns.items()},
        }).filter(pa.array(chosen))  # fmt: skip
