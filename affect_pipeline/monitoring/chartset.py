"""The charts that run together on a patient, and their limits for one cohort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Bools, Floats, Ints
from affect_pipeline.monitoring.baseline import (
    Baseline,
    Carried,
    cohort_only,
    estimate_baseline,
    standardise,
    standardise_window,
)
from affect_pipeline.monitoring.calibration import Limits, cached, calibrate
from affect_pipeline.monitoring.charts.adherence import Adherence
from affect_pipeline.monitoring.charts.base import Field, new_state
from affect_pipeline.monitoring.charts.likelihood_ratio import LikelihoodRatio
from affect_pipeline.monitoring.charts.spread import Spread
from affect_pipeline.monitoring.profile import Profile
from affect_pipeline.monitoring.rules import Rules

RECENT_WEIGHT = 0.2
"""Weight of the newest day in the moving level that says whether a change has gone again."""


SMALL_COHORT = 20
"""With fewer patients the profile is so rough that limits need not be finer: a quarter of the simulation will do."""


@dataclass(frozen=True)
class DayStatistics:
    """Statistics of one day, each of shape (n_patients,); NaN where the day had no value."""

    worsening: Floats
    improving: Floats
    spread: Floats


class ChartSet:
    """Charts of one cohort profile: drift in both directions, spread and adherence.

    Parameters
    ----------
    profile : Profile
        The cohort.
    signs : ndarray, shape (n_channels,)
        +1 where a rise is a worsening, -1 where a fall is.
    groups : tuple[tuple[int, ...], ...]
        Channels that tend to move together.
    """

    def __init__(self, profile: Profile, signs: Floats, groups: tuple[tuple[int, ...], ...] = ()) -> None:
        self.profile, self.signs, self.groups = profile, np.asarray(signs, dtype=float), groups
        turned = _turned(profile, self.signs)
        self.drift = LikelihoodRatio(turned, groups)
        self.spread = Spread()
        self.adherence = Adherence()

    @staticmethod
    def fields_for(n_channels: int) -> tuple[Field, ...]:
        """Return the arrays of the state."""
        from affect_pipeline.monitoring.profile import default_profile

        chart = LikelihoodRatio(default_profile(n_channels))
        own = (
            Field("center", "f8", (n_channels,)),
            Field("scale", "f8", (n_channels,)),
            Field("weekday", "f2", (7, n_channels)),
            Field("recent", "f4", (n_channels,)),
        )
        return (*own, *chart.fields(), *Spread().fields(), *Adherence().fields())

    def start(
        self, window: Floats, first_day: Ints, recorded_days: Floats, carried: Carried | None = None
    ) -> tuple[Arrays, Baseline]:
        """Return state and baseline of patients whose baseline window ends.

        Parameters
        ----------
        window : ndarray, shape (n_patients, n_days, n_channels)
            Day values of the window; NaN where there is none.
        first_day : ndarray of int, shape (n_patients,)
            First day of the window, as days since 1970-01-01.
        recorded_days : ndarray, shape (n_patients,)
            Days of the window with any journal.
        carried : Carried, optional
            What an earlier baseline of the same patients says about their spread.
        """
        weekday = weekday_of(first_day)
        carried = carried or cohort_only(self.profile, len(window))
        baseline = estimate_baseline(window, weekday, self.profile, carried)
        baseline = Baseline(
            baseline.center, baseline.scale, baseline.weekday.astype(np.float16).astype(float), baseline.n_days
        )  # as the packed state will hold it: going on from state is going on, to the last bit
        z = standardise_window(window, weekday, baseline, self.signs)
        n, n_days, n_channels = window.shape
        state = new_state(self.fields_for(n_channels)[:4], n)
        state["center"][:], state["scale"][:] = baseline.center, baseline.scale
        state["weekday"][:] = baseline.weekday
        variance = baseline.scale**2
        state |= self.drift.start_with_prior(
            z,
            first_day + n_days - 1,
            mean=(np.array(self.profile.mean) - baseline.center) / baseline.scale * self.signs,
            mean_information=variance / np.array(self.profile.between_sd) ** 2,
            df=carried.df,
            variance=carried.variance / variance,
        )
        state |= self.spread.start(z, first_day + n_days - 1)
        state |= self.adherence.start_at(recorded_days, n_days, 1.0 - self.profile.missing)
        return state, baseline

    def take(self, state: Arrays, day: Ints, values: Floats) -> DayStatistics:
        """Take in one day of values, in place.

        Parameters
        ----------
        state : Arrays
            State of the patients.
        day : ndarray of int, shape (n_patients,)
            The day, as days since 1970-01-01.
        values : ndarray, shape (n_patients, n_channels)
            Day values in the channels' units; NaN where there is none.
        """
        z = self.standardise(state, day, values)
        judged = self.drift.judge(state, day, z)
        spread = self.spread.update(state, day, z)
        recent = state["recent"] + np.float32(RECENT_WEIGHT) * (z - state["recent"])
        state["recent"][:] = np.where(np.isfinite(z), recent, state["recent"])
        return DayStatistics(judged.worse, judged.better, spread)

    def standardise(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Return values of a day in SDs of each patient, worsening positive."""
        baseline = Baseline(state["center"], state["scale"], state["weekday"], np.zeros(0, np.int32))
        return standardise(values, weekday_of(day), baseline, self.signs)

    def paths(self, values: Floats, first_weekday: Ints, baseline_days: int) -> dict[str, Floats]:
        """Run the charts over whole series: for calibration and benchmarks.

        Parameters
        ----------
        values : ndarray, shape (n_patients, n_days, n_channels)
            Day values; NaN where there is none.
        first_weekday : ndarray of int, shape (n_patients,)
            Weekday of the first day.
        baseline_days : int
            Days that make the baseline; the charts judge those after.

        Returns
        -------
        dict of ndarray, each of shape (n_patients, n_days - baseline_days)
        """
        first = np.asarray(first_weekday, dtype=np.int32) + MONDAY
        recorded: Bools = np.asarray(np.isfinite(values).any(axis=2))
        state, _ = self.start(values[:, :baseline_days], first, recorded[:, :baseline_days].sum(axis=1))
        n_days = values.shape[1] - baseline_days
        out = {name: np.empty((len(values), n_days)) for name in ("worsening", "improving", "spread", "adherence")}
        for k in range(n_days):
            today = self.take(state, first + baseline_days + k, values[:, baseline_days + k])
            out["worsening"][:, k], out["improving"][:, k] = today.worsening, today.improving
            out["spread"][:, k] = today.spread
            out["adherence"][:, k] = self.adherence.take(state, recorded[:, baseline_days + k])
        return out

    def limits(self, rules: Rules, folder: Path | None = None) -> dict[str, Limits]:
        """Return the limits of every statistic for this cohort, from the cache or by simulation."""
        few = self.profile.n_patients < SMALL_COHORT
        n_simulated = rules.calibration_patients // 4 if few else rules.calibration_patients
        key = (
            self.profile.shape_key(), rules.baseline_days, sorted(rules.levels().items()), n_simulated,
            self.signs.tolist(), self.groups,
        )  # fmt: skip
        return cached(folder, key, lambda: self._calibrated(rules, n_simulated))

    def _calibrated(self, rules: Rules, n_simulated: int) -> dict[str, Limits]:
        shape = ChartSet(self.profile.shape_only(), self.signs, self.groups)
        return calibrate(shape.profile, shape.paths, rules.levels(), rules.baseline_days, n_patients=n_simulated)


MONDAY = 4
"""Number of a Monday: 1970-01-05, counted from 1970-01-01."""


def weekday_of(day: Ints) -> Ints:
    """Return weekdays (Monday is 0) of days since 1970-01-01."""
    return np.asarray((np.asarray(day) - MONDAY) % 7)


def _turned(profile: Profile, signs: Floats) -> Profile:
    """Return the profile as seen by channels whose worsening is positive."""
    correlation = np.array(profile.correlation) * np.outer(signs, signs)
    return replace(profile, correlation=tuple(tuple(float(x) for x in row) for row in correlation))
