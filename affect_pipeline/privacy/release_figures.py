"""From noisy sums to figures with error bars: nothing here sees a patient.

A mean is a quotient of two noisy sums. Its interval is Fieller's (1954, "Some problems in interval estimation"): all
values m for which the difference between the sum and m times the count is within 1.96 of its noise. It holds for any
size of the noise; where the count is lost in it, there is no interval, and the figure is withheld.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from affect_pipeline.privacy.release_noise import GRID, LIMITS, NoiseScales, NoisySums, ReleasePlan

EVERYBODY = "all"
Z_95 = 1.959964
PATIENTS, SHARE_IN_ALERT = "patients", "share_in_alert"


@dataclass(frozen=True)
class Figure:
    """One figure of a release.

    Parameters
    ----------
    cohort : str
        Clinic, or `EVERYBODY`.
    week_start : date
        Monday.
    measure : str
        `PATIENTS`, `SHARE_IN_ALERT` or a channel, whose weekly mean it is.
    value, low_95, high_95 : float or None
        The figure, and where the figure without noise lies with 95 % chance. None: withheld, too few patients.
    noise_sd : float
        Standard deviation of the noise on the sum behind it: in patients, or in units of the channel times patients.
    """

    cohort: str
    week_start: dt.date
    measure: str
    value: float | None
    low_95: float | None
    high_95: float | None
    noise_sd: float


def figures(noisy: NoisySums, plan: ReleasePlan, scales: NoiseScales) -> list[Figure]:
    """Return the figures of a release: a count, the share in alert and means of each cohort and week."""
    rows: list[Figure] = []
    for group, cohort in enumerate(plan.clinics or (EVERYBODY,)):
        for number, week in enumerate(plan.weeks):
            n = int(noisy.n_patients[group, number])
            margin = Z_95 * scales.n_patients
            low, value, high = (max(0.0, n + off) for off in (-margin, 0.0, margin))
            rows.append(Figure(cohort, week, PATIENTS, value, low, high, scales.n_patients))
            share = _mean(int(noisy.n_in_alert[group, number]), n, (scales.n_in_alert, scales.n_patients), plan)
            rows.append(_figure(cohort, week, SHARE_IN_ALERT, share, (0.0, 1.0), scales.n_in_alert))
            for channel, sums in zip(plan.channels, noisy.sums, strict=True):
                bottom, top = LIMITS[channel]
                middle, step = (bottom + top) / 2, (top - bottom) / 2 / GRID
                mean = _mean(int(sums[group, number]), n, (scales.sums, scales.n_patients), plan)
                here = None if mean is None else tuple(middle + step * part for part in mean)
                rows.append(_figure(cohort, week, channel, here, LIMITS[channel], step * scales.sums))
    return rows


def _mean(total: int, n: int, noise: tuple[float, float], plan: ReleasePlan) -> tuple[float, ...] | None:
    """Return total / n and the ends of its interval under noise on both, None where it is to be withheld."""
    interval = fieller(total, n, *noise)
    return None if n < plan.least_patients or interval is None else (total / n, *interval)


def _figure(
    cohort: str, week: dt.date, measure: str, mean: tuple[float, ...] | None, limits: tuple[float, float], noise: float
) -> Figure:
    """Return a figure, cut to what it can be."""
    if mean is None:
        return Figure(cohort, week, measure, None, None, None, noise)
    value, low, high = (min(max(part, limits[0]), limits[1]) for part in mean)
    return Figure(cohort, week, measure, value, low, high, noise)


def fieller(total: float, n: float, total_sd: float, n_sd: float) -> tuple[float, float] | None:
    """Return the 95 % interval of a quotient of two independent normal numbers, None where it has no ends."""
    a = n**2 - (Z_95 * n_sd) ** 2
    b = total * n
    c = total**2 - (Z_95 * total_sd) ** 2
    if a <= 0 or b**2 < a * c:
        return None
    root = math.sqrt(b**2 - a * c)
    return (b - root) / a, (b + root) / a
