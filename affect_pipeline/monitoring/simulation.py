"""Patients of a known kind, for calibration and for benchmarks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from affect_pipeline.monitoring.arrays import Floats, Ints
from affect_pipeline.monitoring.profile import Profile


def ar1(innovations: Floats, rho: Floats) -> Floats:
    """Return stationary AR(1) series of unit variance.

    Parameters
    ----------
    innovations : ndarray, shape (n_patients, n_days, n_channels)
        Standard normal numbers.
    rho : ndarray, shape (n_channels,)
        Correlation of consecutive days.
    """
    series = np.empty_like(innovations)
    series[:, 0] = innovations[:, 0]
    step = np.sqrt(1 - np.asarray(rho) ** 2)
    for day in range(1, innovations.shape[1]):
        series[:, day] = rho * series[:, day - 1] + step * innovations[:, day]
    return series


def student(normal: Floats, tail_df: float) -> Floats:
    """Give a standard normal series the marginal of Student's t, scaled to unit variance (0: leave it)."""
    if tail_df == 0:
        return normal
    grid, quantiles = _student_table(tail_df)
    return np.interp(normal, grid, quantiles)


@lru_cache(maxsize=32)
def _student_table(tail_df: float) -> tuple[Floats, Floats]:
    """Return normal quantiles and the t quantiles (unit variance) that stand at the same probability."""
    from scipy import special

    grid = np.linspace(-7.0, 7.0, 2801)
    upper = special.stdtrit(tail_df, special.ndtr(-np.abs(grid)))  # the lower tail keeps its digits
    return grid, -np.sign(grid) * upper * np.sqrt((tail_df - 2) / tail_df)


def in_control(profile: Profile, n_patients: int, n_days: int, seed: int) -> tuple[Floats, Ints]:
    """Simulate a cohort in which nothing changes.

    Parameters
    ----------
    profile : Profile
        The cohort to imitate.
    n_patients, n_days : int
        Its size.
    seed : int
        Same seed, same cohort.

    Returns
    -------
    values : ndarray, shape (n_patients, n_days, n_channels)
        Day values in the channels' own units; NaN on days without a journal.
    first_weekday : ndarray of int, shape (n_patients,)
        Weekday of the first day of each patient.
    """
    rng = np.random.default_rng(seed)
    n_channels = profile.n_channels
    root = np.linalg.cholesky(np.array(profile.correlation))
    noise = rng.standard_normal((n_patients, n_days, n_channels)) @ root.T
    series = ar1(noise, np.array(profile.autocorrelation))
    for c, tail in enumerate(profile.tail_df):
        series[:, :, c] = student(series[:, :, c], tail)
    first_weekday = rng.integers(0, 7, n_patients)
    weekdays = (first_weekday[:, None] + np.arange(n_days)) % 7
    degrees = np.array(profile.variance_df)
    variance = degrees * np.array(profile.variance) / rng.chisquare(degrees, (n_patients, n_channels))
    mean = np.array(profile.mean) + np.array(profile.between_sd) * rng.standard_normal((n_patients, n_channels))
    for c in range(n_channels):
        own = profile.weekday_sd[c] * rng.standard_normal((n_patients, 7))
        series[:, :, c] += np.array(profile.weekday[c])[weekdays] + np.take_along_axis(own, weekdays, axis=1)
    values = mean[:, None, :] + np.sqrt(variance)[:, None, :] * series
    rate = np.clip(profile.missing + profile.missing_sd * rng.standard_normal((n_patients, 1)), 0.0, 0.95)
    values[rng.random((n_patients, n_days)) < rate] = np.nan
    return values, first_weekday
