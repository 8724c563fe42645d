"""Patients of a known kind, for calibration and for benchmarks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from affect_pipeline.monitoring.arrays import Floats, Ints
from affect_pipeline.monitoring.profile import Profile

LEAST_EIGENVALUE = 0.02


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


def latent(correlation: Floats, tail_df: tuple[float, ...]) -> Floats:
    """Return correlations of normal series that have the given ones once `student` has given them their tails.

    Heavy tails weaken what correlates; ``E g(x) h(y)`` is a power series in the correlation (Mehler 1866).

    Parameters
    ----------
    correlation : ndarray, shape (n, n)
        Correlations after `student`.
    tail_df : tuple[float, ...]
        Tails of the n series.
    """
    if not any(tail_df):
        return correlation
    weights = np.stack([_hermite_weights(tail) for tail in tail_df])
    grid = np.linspace(-0.99, 0.99, 199)
    powers = grid[:, None] ** np.arange(1, weights.shape[1] + 1)
    found = np.array(correlation, dtype=float)
    for i in range(len(tail_df)):
        for j in range(len(tail_df)):
            if i != j:
                found[i, j] = np.interp(correlation[i, j], powers @ (weights[i] * weights[j]), grid)
    lowest = float(np.linalg.eigvalsh(found)[0])
    if lowest < LEAST_EIGENVALUE:  # stronger correlations need not fit together
        weight = (LEAST_EIGENVALUE - lowest) / (1.0 - lowest)
        found = (1 - weight) * found + weight * np.eye(len(found))
    return found


@lru_cache(maxsize=32)
def _hermite_weights(tail_df: float) -> Floats:
    """Return the weights of Hermite polynomials 1 to 7, each of unit variance, in `student`."""
    from scipy import special

    nodes, weights = special.roots_hermitenorm(80)
    values = student(nodes, tail_df) * weights / weights.sum()
    return np.array(
        [float(values @ special.eval_hermitenorm(k, nodes)) / np.sqrt(special.factorial(k)) for k in range(1, 8)]
    )


def _own_roots(root: Floats, profile: Profile, n_patients: int, rng: np.random.Generator) -> Floats:
    """Return what turns independent channels into each patient's correlated ones, shape (n_patients or 1, c, c)."""
    if not profile.correlation_df:
        return root.T[None]
    days = rng.standard_normal((n_patients, max(round(profile.correlation_df), 2 * len(root)), len(root))) @ root.T
    covariance = days.transpose(0, 2, 1) @ days
    size = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    own = np.linalg.cholesky(covariance / (size[:, :, None] * size[:, None, :]))
    return np.asarray(own.transpose(0, 2, 1))


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
    root = np.linalg.cholesky(latent(np.array(profile.correlation), profile.tail_df))
    noise = rng.standard_normal((n_patients, n_days, n_channels)) @ _own_roots(root, profile, n_patients, rng)
    pairs = zip(profile.autocorrelation, profile.tail_df, strict=True)
    rho = [float(latent(np.array([[1.0, r], [r, 1.0]]), (tail, tail))[0, 1]) for r, tail in pairs]
    series = ar1(noise, np.array(rho))
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
