"""A patient's own baseline, shrunk towards the cohort.

Empirical Bayes throughout: the mean has the cohort's normal prior, the variance its scaled inverse
chi-square, weekday effects a normal around the cohort's weekday effects. With 14 days the cohort
counts for much, with 60 for little (Efron & Morris 1975; Gelman et al., *Bayesian Data Analysis*, ch. 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affect_pipeline.monitoring.arrays import Bools, Floats, Ints
from affect_pipeline.monitoring.profile import Profile

WINSOR_SD = 3.0
"""Days further out than this count as this far out: one wild recording is not a lasting change."""

BASELINE_WINSOR_SD = 3.5
SCALE_FLOOR = 1e-9


@dataclass(frozen=True)
class Baseline:
    """Baselines of many patients, fixed when the charts begin.

    Parameters
    ----------
    center : ndarray, shape (n_patients, n_channels)
        Mean, in the channel's unit.
    scale : ndarray, shape (n_patients, n_channels)
        Within-person SD, in the channel's unit; always above zero.
    weekday : ndarray, shape (n_patients, 7, n_channels)
        Effect of Monday..Sunday, in SDs of the patient.
    n_days : ndarray of int, shape (n_patients, n_channels)
        Day values it was made from.
    """

    center: Floats
    scale: Floats
    weekday: Floats
    n_days: Ints

    def rows(self, rows: Bools | Ints | slice) -> Baseline:
        """Return the baselines of some patients."""
        return Baseline(self.center[rows], self.scale[rows], self.weekday[rows], self.n_days[rows])

    def expected(self, weekday: Ints) -> Floats:
        """Return what is expected on a weekday, shape (n_patients, n_channels)."""
        return self.center + self.scale * self.weekday[np.arange(len(weekday)), weekday]


@dataclass(frozen=True)
class Carried:
    """Prior of each patient's variance: the cohort's, or sharpened by an earlier baseline of the patient.

    Parameters
    ----------
    variance, df : ndarray, shape (n_patients, n_channels)
        Scale and degrees of freedom of a scaled inverse chi-square distribution.
    """

    variance: Floats
    df: Floats


def cohort_only(profile: Profile, n_patients: int) -> Carried:
    """Return the cohort's prior for every patient."""
    shape = (n_patients, profile.n_channels)
    variance = np.maximum(np.array(profile.variance), SCALE_FLOOR**2)
    return Carried(np.broadcast_to(variance, shape).copy(), np.broadcast_to(profile.variance_df, shape).copy())


MAX_CARRIED_DAYS = 28.0
"""A new baseline trusts the spread of an earlier one like so many days at most; its mean is not carried."""


def carry(profile: Profile, earlier: Floats) -> Carried:
    """Return what earlier baselines say about the spread.

    A new phone shifts levels and a long gap may hide a change, so means are left behind. How restless
    a voice is from day to day belongs to the person.

    Parameters
    ----------
    profile : Profile
        The cohort.
    earlier : ndarray, shape (n_patients, n_days, n_channels)
        Day values before the new baseline; NaN where there is none.
    """
    prior = cohort_only(profile, len(earlier))
    seen = np.isfinite(earlier)
    count = seen.sum(axis=1)
    mean = np.where(seen, earlier, 0.0).sum(axis=1) / np.maximum(count, 1)
    departure = np.where(seen, earlier - mean[:, None, :], 0.0)
    reach = 3.0 * np.sqrt(prior.variance)[:, None, :]
    squares = (np.clip(departure, -reach, reach) ** 2).sum(axis=1)
    days = np.minimum(np.maximum(count - 1, 0), MAX_CARRIED_DAYS)
    share = days / np.maximum(count - 1, 1)
    df = prior.df + days
    return Carried((prior.df * prior.variance + squares * share) / df, df)


def estimate_baseline(
    window: Floats, first_weekday: Ints, profile: Profile, carried: Carried | None = None
) -> Baseline:
    """Estimate baselines from the days before the charts begin.

    Parameters
    ----------
    window : ndarray, shape (n_patients, n_days, n_channels)
        Day values; NaN where there is none.
    first_weekday : ndarray of int, shape (n_patients,)
        Weekday of the first day of the window, Monday is 0.
    profile : Profile
        The cohort.
    carried : Carried, optional
        Prior of the variances; the cohort's where it is left out.

    Returns
    -------
    Baseline
    """
    carried = carried or cohort_only(profile, len(window))
    n, n_days, n_channels = window.shape
    weekdays = (first_weekday[:, None] + np.arange(n_days)) % 7
    center = np.empty((n, n_channels))
    scale = np.empty((n, n_channels))
    weekday = np.empty((n, 7, n_channels))
    counts = np.isfinite(window).sum(axis=1)
    for c in range(n_channels):
        center[:, c], scale[:, c], weekday[:, :, c] = _one_channel(
            window[:, :, c], weekdays, profile, c, nu=carried.df[:, c], prior=carried.variance[:, c]
        )
    return Baseline(center, scale, weekday, counts)


def standardise(values: Floats, weekday: Ints, baseline: Baseline, signs: Floats) -> Floats:
    """Return how far days lie from the baseline, in SDs of the patient; worsening is positive.

    Parameters
    ----------
    values : ndarray, shape (n_patients, n_channels)
        One day of values; NaN where there is none.
    weekday : ndarray of int, shape (n_patients,)
        Weekday of that day.
    baseline : Baseline
        Of the same patients.
    signs : ndarray, shape (n_channels,)
        +1 where a rise is a worsening, -1 where a fall is.

    Returns
    -------
    ndarray, shape (n_patients, n_channels)
        Winsorised at `WINSOR_SD`.
    """
    z = (values - baseline.expected(weekday)) / baseline.scale * signs
    return np.clip(z, -WINSOR_SD, WINSOR_SD)


def standardise_window(window: Floats, first_weekday: Ints, baseline: Baseline, signs: Floats) -> Floats:
    """Return `standardise` of every day of a window, shape (n_patients, n_days, n_channels)."""
    days = [standardise(window[:, day], (first_weekday + day) % 7, baseline, signs) for day in range(window.shape[1])]
    return np.stack(days, axis=1) if days else np.empty_like(window)


def _one_channel(
    values: Floats, weekdays: Ints, profile: Profile, c: int, *, nu: Floats, prior: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return center (n,), scale (n,) and weekday effects (n, 7) of one channel."""
    n = len(values)
    seen = np.isfinite(values)
    count = seen.sum(axis=1)
    effect = np.array(profile.weekday[c])
    rough = np.sqrt(_robust_variance(values, count, nu, prior))
    flat = values - effect[weekdays] * rough[:, None]
    middle = _median(flat)
    flat = np.clip(flat, (middle - BASELINE_WINSOR_SD * rough)[:, None], (middle + BASELINE_WINSOR_SD * rough)[:, None])
    rho = profile.autocorrelation[c]
    information = np.maximum(count * (1 - rho) / (1 + rho) * (1 + rho * (1 - count / values.shape[1])), 0.0)
    total = np.where(seen, flat, 0.0).sum(axis=1)
    mean = total / np.maximum(count, 1)
    squares = (np.where(seen, flat - mean[:, None], 0.0) ** 2).sum(axis=1)
    lost = np.where(count > 0, count / np.maximum(information, 1e-9), 0.0)
    variance = (nu * prior + squares) / (nu + np.maximum(count - np.minimum(lost, count), 0.0))
    scale = np.sqrt(np.maximum(variance, SCALE_FLOOR**2))
    weight = information / scale**2
    prior_weight = 1.0 / max(profile.between_sd[c] ** 2, SCALE_FLOOR**2)
    center = (weight * mean + prior_weight * profile.mean[c]) / (weight + prior_weight)
    own: Floats = np.zeros((n, 7))
    if profile.weekday_sd[c] > 0:
        own = _own_weekdays(np.where(seen, flat - mean[:, None], 0.0), seen, weekdays, scale, profile.weekday_sd[c])
    return center, scale, effect[None, :] + own


def _median(values: Floats) -> Floats:
    """Return row medians; NaN rows give zero."""
    ordered = np.sort(values, axis=1)  # NaN goes last
    count = np.isfinite(values).sum(axis=1)
    rows = np.arange(len(values))
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, max(values.shape[1] - 1, 0))
    middle = 0.5 * (ordered[rows, low] + ordered[rows, high])
    return np.asarray(np.where(count > 0, middle, 0.0))


def _robust_variance(values: Floats, count: Ints, nu: Floats, prior: Floats) -> Floats:
    """Return a first variance that one wild day cannot inflate: the median absolute deviation, shrunk."""
    spread = 1.4826 * _median(np.abs(values - _median(values)[:, None]))
    worth = 0.37 * count  # efficiency of the median absolute deviation at the normal distribution
    return np.asarray((nu * prior + worth * spread**2) / (nu + worth))


def _own_weekdays(residual: Floats, seen: Bools, weekdays: Ints, scale: Floats, spread: float) -> Floats:
    """Return each patient's own departure from the cohort's weekday effects, in SDs, shrunk."""
    own: Floats = np.zeros((len(residual), 7))
    for day in range(7):
        on_day = seen & (weekdays == day)
        count = on_day.sum(axis=1)
        own[:, day] = np.where(on_day, residual, 0.0).sum(axis=1) / scale / (count + 1.0 / spread**2)
    return np.asarray(own - own.mean(axis=1, keepdims=True))
