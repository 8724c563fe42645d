"""Limits that keep a promise: so many false alarms per patient in 90 days, no matter how the cohort is.

A chart's statistic has no textbook distribution here: baselines are short and estimated, days are
missing, neighbouring days resemble one another and tails are heavy. So the limits are found by
simulation of in-control patients who look like the cohort. The alarm budget is spent over the 90 days
evenly by a spending function (Lan & DeMets 1983).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affect_pipeline.monitoring.arrays import Floats, Ints
from affect_pipeline.monitoring.profile import Profile
from affect_pipeline.monitoring.simulation import in_control

HORIZON_DAYS = 90
SIMULATED_DAYS = 120
STEADY_DAYS = 30
SPENDING_POWER = 1.0
"""Exponent of the spending function: 1 spends evenly, less spends earlier."""

DEFAULT_PATIENTS = 6000
DEFAULT_SEED = 90210
VERSION = 5

Paths = Callable[[Floats, Ints, int], dict[str, Floats]]
"""Runs charts over ``values, first_weekday, baseline_days``; returns statistics (n_patients, n_days monitored)."""


@dataclass(frozen=True)
class Limits:
    """Control limits of one statistic.

    Parameters
    ----------
    values : ndarray, shape (`SIMULATED_DAYS`,)
        Limit on the first, second, ... day after the baseline; later days use the last one.
    """

    values: Floats

    def on(self, days_monitored: Ints) -> Floats:
        """Return the limit after so many days of monitoring (0 is the first day)."""
        return self.values[np.clip(days_monitored, 0, len(self.values) - 1)]


def spent(days: Floats, level: float) -> Floats:
    """Return the share of patients who may have had a false alarm after so many days.

    Parameters
    ----------
    days : ndarray
        Days monitored; at `HORIZON_DAYS` exactly `level` is spent, later it goes on at an even pace.
    level : float
        False alarms per patient in 90 days.
    """
    ratio = np.asarray(days, dtype=float) / HORIZON_DAYS
    return np.where(ratio <= 1, level * ratio**SPENDING_POWER, level * ratio)


def fit_limits(statistic: Floats, level: float) -> Limits:
    """Find the limits that spend `level` over the horizon.

    Parameters
    ----------
    statistic : ndarray, shape (n_patients, n_days)
        Of patients in control, from their first monitored day; NaN where there was no judgement.
    level : float
        False alarms per patient in 90 days.

    Returns
    -------
    Limits
        Smooth in time, and exactly at `level` on the sample after 90 days.
    """
    paths = np.where(np.isfinite(statistic), statistic, -np.inf)
    n, n_days = paths.shape
    alive = np.ones(n, dtype=bool)
    rough = np.full(n_days, np.nan)
    for day, target in enumerate(spent(np.arange(1, n_days + 1), level)):
        due = round(float(target) * n) - int((~alive).sum())
        if due > 0 and alive.any():
            today = np.where(alive, paths[:, day], -np.inf)
            rough[day] = np.partition(today, n - due)[n - due]
            alive &= today < rough[day]
    curve = _smooth(rough)
    horizon = paths[:, : min(HORIZON_DAYS, n_days)]
    excess = np.quantile((horizon - curve[: horizon.shape[1]]).max(axis=1), 1 - level)
    curve = curve + excess
    curve[-STEADY_DAYS:] = curve[-STEADY_DAYS:].mean() if n_days > STEADY_DAYS else curve[-STEADY_DAYS:]
    return Limits(np.round(curve, 6))


def _smooth(rough: Floats) -> Floats:
    """Fit a cubic in the logarithm of time: limits move fast in the first days and then settle."""
    days = np.log(np.arange(len(rough)) + 2.0)
    known = np.isfinite(rough)
    if known.sum() < 5:
        return np.full(len(rough), np.nanmean(rough) if known.any() else 0.0)
    return np.asarray(np.polyval(np.polyfit(days[known], rough[known], 3), days))


def calibrate(
    profile: Profile,
    paths: Paths,
    levels: dict[str, float],
    baseline_days: int,
    *,
    n_patients: int = DEFAULT_PATIENTS,
    seed: int = DEFAULT_SEED,
) -> dict[str, Limits]:
    """Find limits for every statistic of a set of charts.

    Parameters
    ----------
    profile : Profile
        The cohort.
    paths : Paths
        Runs the charts over simulated patients.
    levels : dict[str, float]
        False alarms per patient in 90 days allowed to each statistic.
    baseline_days : int
        Length of the baseline.
    n_patients, seed : int
        Size and seed of the simulation.
    """
    values, weekday = in_control(profile, n_patients, baseline_days + SIMULATED_DAYS, seed)
    statistics = paths(values, weekday, baseline_days)
    return {name: fit_limits(statistics[name], level) for name, level in levels.items()}


def cached(folder: Path | None, key: tuple[object, ...], make: Callable[[], dict[str, Limits]]) -> dict[str, Limits]:
    """Return limits from a file named by what they depend on, or make them and write it.

    The file holds rounded numbers and making is deterministic, so a lost cache costs time and changes nothing.
    """
    if folder is None:
        return make()
    digest = hashlib.sha256(json.dumps([VERSION, *key], sort_keys=True, default=str).encode()).hexdigest()
    path = folder / f"limits-{digest[:32]}.json"
    if path.exists():
        return {name: Limits(np.array(curve)) for name, curve in json.loads(path.read_text()).items()}
    from affect_pipeline import files

    limits = make()
    files.write_json({name: limit.values.tolist() for name, limit in limits.items()}, path)
    return limits
