"""How soon each chart finds a change, all of them held to the same false-alarm rate.

Patients are simulated: AR(1), missing days, means and spreads that differ. A change of one or two SDs
of the patient begins on day 28, when the baseline ends, or on day 70. Every chart is one-sided (the
change to be found is a worsening). The charts of textbooks get the mean and SD of the first 28 days and
a limit from 10,000 in-control patients of the very same kind; ours gets nothing but the cohort's own
first 28 days, from which it estimates all it needs and calibrates itself.

*Found within 14 days* counts patients whose first alarm comes in the 14 days that begin with the onset,
among those who had none before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from affect_pipeline.monitoring.arrays import Floats, Ints
from affect_pipeline.monitoring.calibration import HORIZON_DAYS, calibrate
from affect_pipeline.monitoring.charts import Chart, Cusum, Ewma, Multivariate, Shewhart
from affect_pipeline.monitoring.chartset import ChartSet
from affect_pipeline.monitoring.profile_fit import fit_profile
from affect_pipeline.monitoring.simulation import ar1, student

BASELINE_DAYS = 28
N_DAYS = BASELINE_DAYS + HORIZON_DAYS
LEVEL = 0.10
ONSETS = (28, 70)
RIVER_PATIENTS = 600
"""River's detectors are Python objects, one a patient: they get fewer patients."""


@dataclass(frozen=True)
class Scenario:
    """A kind of cohort.

    Parameters
    ----------
    name : str
        What is special about it.
    rho : float
        Correlation of consecutive days.
    missing : float
        Share of days without a journal.
    between_sd : float
        Spread of the patients' means, in mean within-person SDs.
    sd_spread : float
        SD of the logarithm of the patients' SDs.
    weekday : float
        Amplitude of a weekly cycle in SDs, common to all; patients differ in it by half as much.
    tail_df : float
        Student t degrees of freedom; 0 is normal.
    ramp_days : int
        Days in which the change grows to its full size; 0 is a step.
    n_channels : int
        Channels, correlated by 0.3; each of them changes.
    """

    name: str
    rho: float = 0.3
    missing: float = 0.3
    between_sd: float = 0.5
    sd_spread: float = 0.25
    weekday: float = 0.0
    tail_df: float = 0.0
    ramp_days: int = 0
    n_channels: int = 1


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("as usual"),
    Scenario("patients differ more (mean 1 SD)", between_sd=1.0),
    Scenario("AR 0", rho=0.0),
    Scenario("AR 0.15", rho=0.15),
    Scenario("AR 0.45", rho=0.45),
    Scenario("AR 0.6", rho=0.6),
    Scenario("weekday cycles", weekday=0.5),
    Scenario("heavy tails (t4)", tail_df=4.0),
    Scenario("heavy tails, weekdays, AR 0.45", rho=0.45, weekday=0.5, tail_df=4.0),
    Scenario("10 % of days missing", missing=0.1),
    Scenario("45 % of days missing", missing=0.45),
    Scenario("ramps over 14 days", ramp_days=14),
)


def simulate(
    scenario: Scenario, n_patients: int, seed: int, shift_sd: float = 0.0, onset: int = 0
) -> tuple[Floats, Floats, Floats]:
    """Return values (n_patients, `N_DAYS`, n_channels) and the true means and SDs, each (n_patients, 1, n_channels)."""
    rng = np.random.default_rng(seed)
    c = scenario.n_channels
    correlation = np.full((c, c), 0.3) + np.eye(c) * 0.7
    noise = rng.standard_normal((n_patients, N_DAYS, c)) @ np.linalg.cholesky(correlation).T
    series = student(ar1(noise, np.full(c, scenario.rho)), scenario.tail_df)
    phase = 2 * np.pi * np.arange(N_DAYS) / 7
    size = scenario.weekday * (1 + 0.5 * rng.standard_normal((n_patients, 1, c)))
    series = series + size * np.sin(phase)[None, :, None] * np.sqrt(2)
    days = np.arange(N_DAYS) - onset
    grown = np.clip((days + 1) / scenario.ramp_days, 0, 1) if scenario.ramp_days else (days >= 0).astype(float)
    series = series + shift_sd * grown[None, :, None]
    mean = scenario.between_sd * rng.standard_normal((n_patients, 1, c))
    spread = scenario.sd_spread
    sd = np.exp(spread * rng.standard_normal((n_patients, 1, c)) - spread**2 / 2)
    values = mean + sd * series
    values[rng.random((n_patients, N_DAYS)) < scenario.missing] = np.nan
    return values, mean, sd


Paths = Callable[[Floats, Floats, Floats], Floats]
"""From values and the true means and SDs to statistics (n_patients, days monitored)."""


def textbook(chart: Chart, known: bool = False) -> Paths:
    """Return how a chart is run on days standardised by the first 28 days, or by the truth."""

    def run(values: Floats, mean: Floats, sd: Floats) -> Floats:
        if known:
            z = (values - mean) / sd
        else:
            base = values[:, :BASELINE_DAYS]
            z = (values - np.nanmean(base, axis=1, keepdims=True)) / np.nanstd(base, axis=1, ddof=1, keepdims=True)
        n = len(values)
        state = chart.start(z[:, :BASELINE_DAYS], np.full(n, BASELINE_DAYS - 1))
        days = range(BASELINE_DAYS, N_DAYS)
        return np.stack([chart.update(state, np.full(n, day), z[:, day]) for day in days], axis=1)

    return run


def first_alarm(statistic: Floats, limit: Floats | float) -> Ints:
    """Return the day of each patient's first alarm, counted from the first day; a large number if there is none."""
    past = np.where(np.isfinite(statistic), statistic, -np.inf) >= limit
    return np.where(past.any(axis=1), past.argmax(axis=1) + BASELINE_DAYS, 10**6)


def found(alarm: Ints, onset: int, within: int) -> float:
    """Return the share found within so many days of the onset, of those without an alarm before it."""
    ready = alarm >= onset
    return float((alarm[ready] < onset + within).mean())


@dataclass(frozen=True)
class Row:
    """What one chart did: false alarms in 90 days, and shares found by (onset, shift, days)."""

    chart: str
    false_alarms: float
    shares: dict[tuple[int, int, int], float]

    def as_dict(self) -> dict[str, Any]:
        """Return the row with a name for every column."""
        named = {f"d{on} +{shift} ≤{days}": share for (on, shift, days), share in self.shares.items()}
        return {"chart": self.chart, "false alarms": self.false_alarms} | named


def judge(name: str, paths: Paths, limit: Floats | float, *, scenario: Scenario, n_patients: int, seed: int) -> Row:
    """Run a chart over cohorts with and without changes."""
    calm = first_alarm(paths(*simulate(scenario, n_patients, seed + 1)), limit)
    shares = {}
    for onset in ONSETS:
        for shift in (1, 2):
            cohort = simulate(scenario, n_patients, seed + 2, shift, onset)
            alarm = first_alarm(paths(*cohort), limit)
            for within in (14, 28):
                shares[onset, shift, within] = found(alarm, onset, within)
    return Row(name, float((calm < 10**6).mean()), shares)


def limit_by_simulation(paths: Paths, scenario: Scenario, n_patients: int, seed: int) -> float:
    """Return the constant limit that gives the textbook charts their false-alarm rate on patients of the same kind."""
    statistic = paths(*simulate(scenario, n_patients, seed))
    return float(np.quantile(np.nanmax(statistic, axis=1), 1 - LEVEL))


def ours(scenario: Scenario, n_patients: int, seed: int, both_sides: bool = False) -> tuple[Paths, Floats]:
    """Return our chart, calibrated on nothing but the first 28 days of a cohort of the same kind."""
    cohort = simulate(scenario, n_patients, seed)[0]
    weekday = np.zeros(n_patients, dtype=np.int32)
    profile = fit_profile(cohort[:, :BASELINE_DAYS], weekday)
    charts = ChartSet(profile, np.ones(scenario.n_channels))
    sides = ("worsening", "improving") if both_sides else ("worsening",)

    def run(values: Floats, _mean: Floats, _sd: Floats) -> Floats:
        statistics = charts.paths(values, np.zeros(len(values), dtype=np.int32), BASELINE_DAYS)
        if not both_sides:
            return statistics["worsening"]
        return np.fmax(*[statistics[side] - limits[side].values[:HORIZON_DAYS] for side in sides])

    limits = calibrate(
        profile,
        charts.paths,
        {side: LEVEL / len(sides) for side in sides},
        BASELINE_DAYS,
        n_patients=4 * n_patients,  # their chance is to count for less than that of the patients judged
        seed=seed + 7,
    )
    return run, np.zeros(HORIZON_DAYS) if both_sides else limits["worsening"].values[:HORIZON_DAYS]


def compare(n_patients: int, seed: int, with_river: bool = True) -> list[Row]:
    """Compare all charts on the usual cohort."""
    usual = SCENARIOS[0]
    three = replace(usual, n_channels=3)
    rows = []
    charts: list[tuple[str, Chart, Scenario, bool]] = [
        ("Shewhart", Shewhart(), usual, False),
        ("CUSUM 0.5", Cusum(0.5), usual, False),
        ("EWMA 0.1", Ewma(0.1), usual, False),
        ("oracle: EWMA 0.1, known parameters", Ewma(0.1), usual, True),
        ("EWMA 0.1, mean of 3 channels", Ewma(0.1), three, False),
        ("multivariate EWMA, 3 channels", Multivariate(np.full((3, 3), 0.3) + 0.7 * np.eye(3)), three, False),
        ("oracle: EWMA 0.1 of 3 channels, known", Ewma(0.1), three, True),
    ]
    for name, chart, scenario, known in charts:
        paths = textbook(chart, known)
        limit = limit_by_simulation(paths, scenario, n_patients, seed + 5)
        rows.append(judge(name, paths, limit, scenario=scenario, n_patients=n_patients, seed=seed))
    if with_river:
        from affect_pipeline.bench.river_detectors import judge_river

        rows += judge_river(usual, min(n_patients, RIVER_PATIENTS), seed)
    for name, scenario, both in (
        ("ours, one channel", usual, False), ("ours, one channel, both directions", usual, True),
        ("ours, three channels", three, False),
    ):  # fmt: skip
        paths, curve = ours(scenario, n_patients, seed + 3, both)
        rows.append(judge(name, paths, curve, scenario=scenario, n_patients=n_patients, seed=seed))
    return rows


def sweep(n_patients: int, seed: int, scenarios: tuple[Scenario, ...] = SCENARIOS) -> list[dict[str, Any]]:
    """Run our chart, with one and three channels, and the EWMA through every kind of cohort."""
    rows = []
    for scenario in scenarios:
        for n_channels in (1, 3):
            kind = replace(scenario, n_channels=n_channels)
            paths, curve = ours(kind, n_patients, seed + 3)
            row = judge(f"ours, {n_channels} ch.", paths, curve, scenario=kind, n_patients=n_patients, seed=seed)
            rows.append({"cohort": scenario.name} | row.as_dict())
        ewma = textbook(Ewma(0.1))
        limit = limit_by_simulation(ewma, scenario, n_patients, seed + 5)
        rows.append(
            {"cohort": scenario.name}
            | judge("EWMA 0.1", ewma, limit, scenario=scenario, n_patients=n_patients, seed=seed).as_dict()
        )
    return rows
