"""Rows that a night leaves, as arrays; the last word on a row is the one that counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from affect_pipeline.monitoring.arrays import Bools, Floats, Ints, Texts, take
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


@dataclass(frozen=True)
class ReadyBaselines:
    """Baselines of patients who are watched, one row a patient.

    Parameters
    ----------
    night : int
        Night whose knowledge they hold.
    patient : ndarray of bytes, shape (n,)
        Patient keys.
    segment, ready_day, first_day, last_day, n_days : ndarray of int, shape (n,)
        Number of the baseline, first day judged, its first and last day, and its day values.
    mean, sd, autocorrelation : ndarray, shape (n, n_channels + 1)
        In the channels' units; adherence is the last.
    weekday : ndarray, shape (n, 7, n_channels)
        Effects of Monday to Sunday in the channels' units.
    """

    night: int
    patient: Texts
    segment: Ints
    ready_day: Ints
    first_day: Ints
    last_day: Ints
    n_days: Ints
    mean: Floats
    sd: Floats
    autocorrelation: Floats
    weekday: Floats


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
    ready: list[ReadyBaselines] = field(default_factory=list)
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
            missing = f"needs {short_of} more days with a journal" if short_of else "waits for the days to pass"
            reason = (
                f"{segment.n_values} of at least {rules.baseline_min_days} day values in a baseline of "
                f"{rules.baseline_days} days that began on {short(segment.start)} ({begun[segment.why]}); {missing}"
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

        state = world.state
        rows = rows[state["phase"][rows] == WATCHED]
        for profile_night in np.unique(state["profile_night"][rows]):
            mine = rows[state["profile_night"][rows] == profile_night]
            chart = charts.of(int(profile_night))
            part = take(state, mine)
            mean, sd = chart.drift.posterior(part)
            rate = part["adherence_rate"]
            rho = np.broadcast_to(chart.profile.autocorrelation, mean.shape)
            nothing = np.full((len(mine), 1), np.nan)
            self.ready.append(ReadyBaselines(
                self.night, world.keys[mine], part["segment"], part["ready_day"], part["segment_start"],
                part["last_value_day"], part["n_values"],
                np.column_stack([part["center"] + charts.signs * part["scale"] * mean, rate]),
                np.column_stack([part["scale"] * sd, np.sqrt(rate * (1 - rate))]),
                np.column_stack([rho, nothing]),
                part["scale"][:, None, :] * part["weekday"],
            ))  # fmt: skip
