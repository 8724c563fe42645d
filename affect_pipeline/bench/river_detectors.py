"""River's drift detectors as a user would set them up: one object a patient, fed day by day.

They are tuned to the same false-alarm rate by bisection over the one parameter that rules it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from affect_pipeline.bench import drift
from affect_pipeline.monitoring.arrays import Floats, Ints

Maker = Callable[[float], Any]

DETECTORS: tuple[tuple[str, str, float, float], ...] = (
    ("river ADWIN", "adwin", -9.0, 0.0),
    ("river Page-Hinkley", "page_hinkley", 0.0, 5.0),
    ("river KSWIN", "kswin", -12.0, -1.0),
)
"""Name, detector, and the range of the logarithm of its parameter that is searched."""


def make(kind: str, log_parameter: float) -> Any:
    """Return one detector; the parameter is delta, threshold or alpha."""
    from river import drift as river

    value = float(np.exp(log_parameter))
    if kind == "adwin":
        adwin: Any = river.ADWIN
        return adwin(delta=min(value, 1.0), clock=1, grace_period=5, min_window_length=3)
    if kind == "page_hinkley":
        return river.PageHinkley(min_instances=10, delta=0.25, threshold=value, alpha=0.9999, mode="up")
    return river.KSWIN(alpha=value, window_size=30, stat_size=10, seed=1)


def alarms(kind: str, log_parameter: float, values: Floats) -> Ints:
    """Return the first day of monitoring on which each patient's detector signals."""
    base = values[:, : drift.BASELINE_DAYS, 0]
    z = (values[:, :, 0] - np.nanmean(base, axis=1, keepdims=True)) / np.nanstd(base, axis=1, ddof=1, keepdims=True)
    first = np.full(len(z), 10**6)
    for i, series in enumerate(z):
        detector = make(kind, log_parameter)
        for day in np.flatnonzero(np.isfinite(series)):
            detector.update(float(series[day]))
            if detector.drift_detected and day >= drift.BASELINE_DAYS:
                first[i] = day
                break
    return first


def tune(kind: str, low: float, high: float, values: Floats, steps: int = 8) -> float:
    """Return the logarithm of the parameter that comes nearest to the false-alarm rate."""
    rising = (alarms(kind, high, values) < 10**6).mean() > (alarms(kind, low, values) < 10**6).mean()
    for _ in range(steps):
        middle = (low + high) / 2
        too_many = (alarms(kind, middle, values) < 10**6).mean() > drift.LEVEL
        low, high = (low, middle) if too_many == rising else (middle, high)
    return low if rising else high


def judge_river(scenario: drift.Scenario, n_patients: int, seed: int) -> list[drift.Row]:
    """Run river's detectors over cohorts with and without changes."""
    rows = []
    for name, kind, low, high in DETECTORS:
        n = n_patients if kind != "kswin" else max(n_patients // 4, 25)
        parameter = tune(kind, low, high, drift.simulate(scenario, n, seed + 5)[0])
        calm = alarms(kind, parameter, drift.simulate(scenario, n, seed + 1)[0])
        shares = {}
        for onset in drift.ONSETS:
            for shift in (1, 2):
                alarm = alarms(kind, parameter, drift.simulate(scenario, n, seed + 2, shift, onset)[0])
                for within in (14, 28):
                    shares[onset, shift, within] = drift.found(alarm, onset, within)
        rows.append(drift.Row(f"{name} ({n:,} patients)", float((calm < 10**6).mean()), shares))
    return rows
