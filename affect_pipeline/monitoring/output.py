"""Rows that a night leaves, as arrays; the last word on a row is the one that counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from affect_pipeline.monitoring.arrays import Bools, Floats, Ints, Texts
from affect_pipeline.monitoring.journals import DayValues
from affect_pipeline.monitoring.segments import Segment
from affect_pipeline.monitoring.words import short, to_date

if TYPE_CHECKING:
    from affect_pipeline.monitoring.engine import Charts
    from affect_pipeline.monitoring.world import World


@dataclass(frozen=True)
class ChartDays:
    """What the charts said, one row a patient and day with a value.

    Parameters
    ----------
    patient : ndarray of bytes, shape (n,)
        Patient keys.
    day : ndarray of int, shape (n,)
        Local day.
    expected, low, high, recent : ndarray, shape (n, n_channels)
        Expected value, band of ordinary days, and the moving level in SDs, each channel in its own direction.
    statistic, limit : ndarray, shape (n,)
        Combined statistic of a worsening, and its limit.
    """

    patient: Texts
    day: Ints
    expected: Floats
    low: Floats
    high: Floats
    recent: Floats
    statistic: Floats
    limit: Floats


@dataclass
class Output:
    """Rows of one night.

    Parameters
    ----------
    night : int
        The night.
    """

    night: int
    day_values: list[DayValues] = field(default_factory=list)
    chart_days: list[ChartDays] = field(default_factory=list)
    baselines: dict[tuple[bytes, str], dict[str, Any]] = field(default_factory=dict)
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    _touched: list[Texts] = field(default_factory=list)

    def add_day_values(self, values: DayValues) -> None:
        """Add day values."""
        if len(values):
            self.day_values.append(values)

    def add_chart_days(self, days: ChartDays) -> None:
        """Add what the charts said of one day of some patients."""
        if len(days.patient):
            self.chart_days.append(days)

    def touch(self, patients: Texts) -> None:
        """Remember that baselines of these patients are to be written."""
        self._touched.append(np.asarray(patients, dtype="S32"))

    def touched_rows(self, keys: Texts) -> Bools:
        """Return which of all patients are to be written."""
        if not self._touched:
            return np.zeros(len(keys), dtype=bool)
        return np.isin(keys, np.concatenate(self._touched))

    def add_withdrawn(self, patients: Texts) -> None:
        """Add that patients are not watched any more."""
        for patient in patients:
            self.baselines[(bytes(patient), "")] = {
                "state": "withdrawn", "reason": "consent was withdrawn", "as_of_night": to_date(self.night),
            }  # fmt: skip

    def add_learning(self, world: World, rows: Ints, segments: list[Segment], charts: Charts) -> None:
        """Add baselines that are not ready, with the reason and the day on which they may be."""
        rules = charts.rules
        for row, segment in zip(rows, segments, strict=True):
            short_of = max(rules.baseline_min_days - segment.n_values, 0)
            begun = {
                "first": "first journal",
                "gap": "a long gap",
                "device": "a new device",
                "lasting": "a lasting change",
            }
            missing = f"{short_of} more days with a journal" if short_of else "more days"
            reason = (
                f"{segment.n_values} of at least {rules.baseline_min_days} day values in a baseline of "
                f"{rules.baseline_days} days that began on {short(segment.start)} ({begun[segment.why]}); "
                f"needs {missing}"
            )
            base = {
                "segment": segment.number, "state": "too_little_data", "reason": reason,
                "ready_on": to_date(segment.expected_day), "first_day": to_date(segment.start),
                "last_day": to_date(world.state["last_value_day"][row]), "n_days": segment.n_values,
                "mean": None, "sd": None, "autocorrelation": None, "weekday_effects": None,
                "as_of_night": to_date(self.night),
            }  # fmt: skip
            for channel in charts.channels:
                self.baselines[(bytes(world.keys[row]), channel.name)] = base
            self.baselines[(bytes(world.keys[row]), "adherence")] = base

    def add_baselines(self, world: World, rows: Ints, charts: Charts) -> None:
        """Add the baselines of patients who are watched, as they are known now."""
        from affect_pipeline.monitoring.world import WATCHED

        for row in rows[world.state["phase"][rows] == WATCHED]:
            self._add_baseline(world, int(row), charts)

    def _add_baseline(self, world: World, row: int, charts: Charts) -> None:
        state, key = world.state, bytes(world.keys[row])
        profile = charts.of(int(state["profile_night"][row])).profile
        mean, sd = (x[0] for x in charts.of(int(state["profile_night"][row])).drift.posterior(
            {name: state[name][row : row + 1] for name in ("lr_score", "lr_information", "lr_squares", "lr_df")}
        ))  # fmt: skip
        shared = {
            "segment": int(state["segment"][row]), "state": "ready", "reason": None,
            "ready_on": to_date(state["ready_day"][row]), "first_day": to_date(state["segment_start"][row]),
            "last_day": to_date(state["last_value_day"][row]), "n_days": int(state["n_values"][row]),
            "as_of_night": to_date(self.night),
        }  # fmt: skip
        for c, channel in enumerate(charts.channels):
            scale = float(state["scale"][row, c])
            self.baselines[(key, channel.name)] = shared | {
                "mean": float(state["center"][row, c] + charts.signs[c] * scale * mean[c]),
                "sd": scale * float(sd[c]),
                "autocorrelation": profile.autocorrelation[c],
                "weekday_effects": [scale * float(x) for x in state["weekday"][row, :, c]],
            }
        rate = float(state["adherence_rate"][row])
        self.baselines[(key, "adherence")] = shared | {
            "mean": rate, "sd": float(np.sqrt(rate * (1 - rate))), "autocorrelation": None, "weekday_effects": None,
        }  # fmt: skip
