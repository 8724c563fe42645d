"""What a cohort looks like, estimated; see `profile`.

Every estimate comes from stretches that are taken to be in control, and avoids what is biased in short series: the
autocorrelation comes from a variogram (differences need no mean), the tails from simulated moments.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from affect_pipeline.monitoring.arrays import Floats, Ints
from affect_pipeline.monitoring.profile import (
    DEFAULT_AUTOCORRELATION,
    MAX_AUTOCORRELATION,
    MAX_PRIOR_DF,
    PSEUDO_PATIENTS,
    TAILS,
    Profile,
    default_profile,
)

USUAL_CORRELATION_DF = 25.0
"""What is expected before patients are seen: voices of two corpora of acted speech differ by so much."""

MIN_CORRELATION_DF, MAX_CORRELATION_DF = 14.0, 100.0


def fit_profile(values: Floats, first_weekday: Ints) -> Profile:
    """Estimate the profile of a cohort from stretches that are taken to be in control.

    Parameters
    ----------
    values : ndarray, shape (n_patients, n_days, n_channels)
        Day values on consecutive calendar days; NaN where there is none.
    first_weekday : ndarray of int, shape (n_patients,)
        Weekday of each patient's first day, Monday is 0.

    Returns
    -------
    Profile
        Rounded to six significant digits, so that it does not depend on the order of sums.
    """
    n, n_days, n_channels = values.shape
    weekdays = (first_weekday[:, None] + np.arange(n_days)) % 7
    parts = [_fit_channel(values[:, :, c], weekdays) for c in range(n_channels)]
    seen = np.isfinite(values).any(axis=2)
    rates = seen.mean(axis=1) if n else np.array([0.7])
    rate = float(np.clip(rates.mean(), 0.05, 1.0))
    spread = float(np.sqrt(max(rates.var() - rate * (1 - rate) / n_days, 0.0))) if n > 1 else 0.1
    column: dict[str, Any] = {
        name: tuple(_rounded(part[name]) for part in parts) for name in parts[0] if name != "weekday"
    }
    rho = np.array(column["autocorrelation"])
    flat = _without_weekdays(values, weekdays, parts)
    alike = Profile(
        **column,
        weekday=tuple(tuple(_rounded(effect) for effect in part["weekday"]) for part in parts),
        correlation=_correlation(flat, rho),
        missing=_rounded(1.0 - rate),
        missing_sd=_rounded(spread),
        n_patients=n,
    )
    return replace(alike, correlation_df=_rounded(_correlation_df(flat, alike)))


def _without_weekdays(values: Floats, weekdays: Ints, parts: list[dict[str, Any]]) -> Floats:
    """Return values less the cohort's weekday effects: a common cycle would look like channels that move together."""
    effects = np.stack([np.asarray(part["weekday"])[weekdays] for part in parts], axis=2)
    spread = _mean_without_warning((values - _mean_without_warning(values)) ** 2)
    return np.asarray(values - effects * np.sqrt(spread))


def _rounded(value: float) -> float:
    return float(f"{float(value):.6g}")


def _fit_channel(values: Floats, weekdays: Ints) -> dict[str, Any]:
    """Estimate everything about one channel; `values` has shape (n_patients, n_days)."""
    counts = np.isfinite(values).sum(axis=1)
    kept = counts >= 5
    values, weekdays, counts = values[kept], weekdays[kept], counts[kept]
    if len(values) == 0:
        empty = default_profile(1)
        return {name: getattr(empty, name)[0] for name in _CHANNEL_FIELDS}
    values = _clipped(values)
    sd = np.sqrt(np.maximum(np.nanvar(values, axis=1, ddof=1), 1e-300))
    weekday = _weekday_effects(values, weekdays, sd)
    values = values - weekday[weekdays] * sd[:, None]
    rho = _variogram_autocorrelation(values, sd)
    weekday_sd = _weekday_spread((values - np.nanmean(values, axis=1, keepdims=True)) / sd[:, None], rho)
    means = np.nanmean(values, axis=1)
    shrinkage = _variance_loss(rho, values)
    variances = np.nanvar(values, axis=1, ddof=0) / shrinkage
    error = variances * (1 - shrinkage)
    between = max(float(np.var(means, ddof=1) if len(means) > 1 else 0.0) - float(error.mean()), 0.0)
    floor = 0.04 * float(variances.mean())
    tail = _tail_df((values - means[:, None]) / np.sqrt(np.maximum(variances, 1e-300))[:, None], rho)
    scale, degrees = _variance_prior(variances, _sampling_variance(values, rho, tail))
    return {
        "mean": float(means.mean()),
        "between_sd": float(np.sqrt(max(between, floor, 1e-12))),
        "variance": scale,
        "variance_df": degrees,
        "autocorrelation": rho,
        "weekday": weekday,
        "weekday_sd": weekday_sd,
        "tail_df": tail,
    }


_CHANNEL_FIELDS = (
    "mean", "between_sd", "variance", "variance_df", "autocorrelation", "weekday", "weekday_sd", "tail_df",
)  # fmt: skip


def _clipped(values: Floats) -> Floats:
    """Pull single wild days in to six robust SDs, so that one of them does not make a patient look restless."""
    middle = np.nanmedian(values, axis=1, keepdims=True)
    robust = 1.4826 * np.nanmedian(np.abs(values - middle), axis=1, keepdims=True)
    reach = 6.0 * np.where(robust > 0, robust, np.nanmax(np.abs(values - middle), axis=1, keepdims=True))
    return np.clip(values, middle - reach, middle + reach)


def _weekday_effects(values: Floats, weekdays: Ints, sd: Floats) -> Floats:
    """Return the cohort's weekday effects in SDs, shrunk by their own uncertainty."""
    residual = (values - np.nanmean(values, axis=1, keepdims=True)) / sd[:, None]
    total, raw = np.zeros(7), np.zeros(7)
    for day in range(7):
        on_day = (weekdays == day) & np.isfinite(residual)
        total[day] = on_day.sum()
        raw[day] = np.where(on_day, residual, 0.0).sum() / max(total[day], 1.0)
    raw -= raw.mean()
    noise = 1.3 / np.maximum(total, 1)
    signal = max(float(np.mean(raw**2) - np.mean(noise)), 0.0)
    return np.asarray(raw * (signal / (signal + noise)) if signal > 0 else np.zeros(7))


def _weekday_spread(residual: Floats, rho: float) -> float:
    """Return how much patients differ in weekday effects: days a week apart are more alike than days ten apart.

    Effects sum to zero over a week, so other lags have minus a sixth of their variance as mean product. What
    autocorrelation alone does to these lags is taken off.
    """
    weeks, others = (7, 14, 21), (10, 11, 17, 18)
    carried = float(np.mean([rho**lag for lag in weeks]) - np.mean([rho**lag for lag in others]))
    excess = (_mean_product(residual, weeks) - _mean_product(residual, others) - carried) * 6.0 / 7.0
    weight = len(residual) / (len(residual) + PSEUDO_PATIENTS)
    return float(np.sqrt(max(excess * weight, 0.0)))


def _mean_product(residual: Floats, lags: tuple[int, ...]) -> float:
    total, count = 0.0, 0
    for lag in lags:
        if lag < residual.shape[1]:
            product = residual[:, lag:] * residual[:, :-lag]
            total += float(np.nansum(product))
            count += int(np.isfinite(product).sum())
    return total / max(count, 1)


def _variogram_autocorrelation(values: Floats, sd: Floats) -> float:
    """Return AR(1) from squared differences: lag one against lags of one to three weeks.

    ``E (y[t] - y[t-h])^2 / 2 = s^2 (1 - rho^h)``, with no mean to estimate and so without the bias
    that the usual estimate has in short series.
    """
    # dividing by a patient's own SD would bias the ratio, because far days make it more than near ones: only who is
    # far more restless than most is held back
    usual = float(np.median(sd))
    scaled = values / np.maximum(np.maximum(usual, 0.5 * sd), 1e-150)[:, None]
    near, n_near = _half_squared_difference(scaled, (1,))
    lags = [lag for lag in (7, 10, 14, 17, 21) if lag < values.shape[1]] or [values.shape[1] - 1]
    far, n_far = _half_squared_difference(scaled, tuple(lags))
    if min(n_near, n_far) < 5 or far <= 0:
        return DEFAULT_AUTOCORRELATION
    estimate = 1.0 - near / far
    for _ in range(20):  # the far lags are not quite infinite
        reach = float(np.mean([1 - max(estimate, 0.0) ** lag for lag in lags]))
        estimate = 1.0 - near / far * reach
    weight = len(values) / (len(values) + PSEUDO_PATIENTS)
    blended = weight * estimate + (1 - weight) * DEFAULT_AUTOCORRELATION
    return float(np.clip(blended, 0.0, MAX_AUTOCORRELATION))


def _half_squared_difference(values: Floats, lags: tuple[int, ...]) -> tuple[float, int]:
    squares = [0.5 * (values[:, lag:] - values[:, :-lag]) ** 2 for lag in lags]
    total = sum(float(np.nansum(square)) for square in squares)
    count = sum(int(np.isfinite(square).sum()) for square in squares)
    return total / max(count, 1), count


def _variance_loss(rho: float, values: Floats) -> Floats:
    """Return E(variance about the patient's own mean) / variance, for AR(1) and the days that were seen."""
    seen = np.isfinite(values).astype(float)
    count = np.maximum(seen.sum(axis=1), 1)
    pairs = np.array(count)
    for lag in range(1, values.shape[1]):
        if rho**lag < 1e-4:
            break
        pairs = pairs + 2 * rho**lag * (seen[:, lag:] * seen[:, :-lag]).sum(axis=1)
    return np.asarray(np.clip(1.0 - pairs / count**2, 0.05, 1.0))


def _variance_prior(variances: Floats, sampling: float) -> tuple[float, float]:
    """Fit a scaled inverse chi-square to the patients' variances by the moments of their logarithms.

    Parameters
    ----------
    variances : ndarray, shape (n_patients,)
        As estimated from each patient's days.
    sampling : float
        Variance of their logarithms if all patients were alike.
    """
    positive = variances > 1e-12 * max(float(variances.max(initial=0.0)), 1e-300)
    if not positive.any():
        return 1e-12, 8.0
    logs = np.log(variances[positive])
    weight = len(logs) / (len(logs) + PSEUDO_PATIENTS)
    excess = float(np.var(logs, ddof=1) - sampling) if len(logs) > 2 else 0.25
    spread = max(weight * max(excess, 0.0) + (1 - weight) * 0.25, 2.0 / MAX_PRIOR_DF)
    degrees = float(np.clip(2.0 / spread + 0.5, 4.0, MAX_PRIOR_DF))
    mean = float(variances[positive].mean())
    return mean * (degrees - 2.0) / degrees, degrees


def _alike(days: Floats, rho: float, tail: float) -> Floats:
    """Return series of 2000 patients who are all alike, with days missing as in `days`; always the same draws."""
    from affect_pipeline.monitoring.simulation import ar1, student

    missing = ~np.isfinite(np.resize(days, (2000, days.shape[1])))
    rng = np.random.default_rng(20260101)
    normal = ar1(rng.standard_normal((2000, days.shape[1], 1)), np.array([rho]))[:, :, 0]
    return np.where(missing, np.nan, student(normal, tail))


def _sampling_variance(values: Floats, rho: float, tail: float) -> float:
    """Return how much the logarithms of estimated variances differ between patients who are alike, by simulation."""
    sample = _clipped(_alike(values, rho, tail))
    return float(np.var(np.log(np.nanvar(sample, axis=1) / _variance_loss(rho, sample))))


def _tail_ratio(standardised: Floats) -> float:
    """Return how far out the 99th percentile of absolute residuals lies, in medians."""
    sizes = np.abs(standardised[np.isfinite(standardised)])
    if len(sizes) < 50:
        return 0.0
    middle, far = np.quantile(sizes, [0.5, 0.99])
    return float(far / max(middle, 1e-300))


def _tail_df(standardised: Floats, rho: float) -> float:
    """Match the tails to Student's t by simulated moments: same days, same standardising, known tails."""
    observed = _tail_ratio(standardised)
    if observed == 0.0 or len(standardised) < PSEUDO_PATIENTS:
        return 0.0
    ratios = []
    for tail in TAILS:
        sample = _clipped(_alike(standardised, rho, tail))
        sample = sample - np.nanmean(sample, axis=1, keepdims=True)
        ratios.append(_tail_ratio(sample / np.nanstd(sample, axis=1, keepdims=True)))
    return TAILS[int(np.argmin(np.abs(np.array(ratios) - observed)))]


def _correlation(values: Floats, rho: Floats) -> tuple[tuple[float, ...], ...]:
    """Return the correlation between channels of the innovations on consecutive days."""
    n_channels = values.shape[2]
    if n_channels == 1 or len(values) == 0:
        return default_profile(n_channels).correlation
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = _mean_without_warning(values)
        own = np.sqrt(_mean_without_warning((values - middle) ** 2))
        scaled_values = (values - middle) / np.where(own > 0, own, np.nan)
    steps = scaled_values[:, 1:] - rho * scaled_values[:, :-1]
    steps = steps - np.nan_to_num(_mean_without_warning(steps))
    rows = steps.reshape(-1, n_channels)
    rows = rows[np.isfinite(rows).all(axis=1)]
    n = len(rows)
    if n < 10:
        return default_profile(n_channels).correlation
    spread = rows.std(axis=0)
    scaled = np.clip(rows / np.where(spread > 0, spread, 1.0), -4, 4)
    covariance = scaled.T @ scaled / n
    size = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    correlation = covariance / np.outer(size, size)
    # dividing by SDs of a few days each pulls towards zero (Olkin & Pratt 1958)
    days = max(float(np.isfinite(values).any(axis=2).sum(axis=1).mean()), 4.0)
    days *= float(np.mean((1 - rho**2) / (1 + rho**2)))
    correlation = correlation * (1 + (1 - correlation**2) / (2 * days)) * (n / (n + 20.0 * PSEUDO_PATIENTS))
    correlation = np.clip(correlation, -0.9, 0.9)
    np.fill_diagonal(correlation, 1.0)
    lowest = float(np.linalg.eigvalsh(correlation)[0])
    if lowest < 0.1:  # channels that are copies of one another must not make the chart explode
        weight = (0.1 - lowest) / (1.0 - lowest)
        correlation = (1 - weight) * correlation + weight * np.eye(n_channels)
    return tuple(tuple(_rounded(entry) for entry in row) for row in correlation)


def _correlation_df(values: Floats, alike: Profile) -> float:
    """Return how alike patients are in their correlations, as in `Profile`; 0 if too much so to tell.

    Fisher's z of each pair of channels differs between patients by more than it does if all are alike, which is found
    by simulation.
    """
    if values.shape[2] == 1:
        return 0.0
    excess, weight = 0.0, 0.0
    seen, n_seen = _fisher_spread(values)
    if n_seen > 2:
        from affect_pipeline.monitoring.simulation import in_control

        flat = replace(alike, weekday=((0.0,) * 7,) * alike.n_channels, weekday_sd=(0.0,) * alike.n_channels)
        made, _ = in_control(replace(flat, missing=0.0, missing_sd=0.0), 2000, values.shape[1], 20260102)
        made[np.resize(~np.isfinite(values), made.shape)] = np.nan
        excess, weight = seen - _fisher_spread(made)[0], n_seen / (n_seen + PSEUDO_PATIENTS)
    excess = weight * excess + (1 - weight) / USUAL_CORRELATION_DF
    return 0.0 if excess < 1.0 / MAX_CORRELATION_DF else max(1.0 / excess, MIN_CORRELATION_DF) + 2.0


def _fisher_spread(values: Floats) -> tuple[float, int]:
    """Return how Fisher's z varies between patients, the mean over pairs of channels, and from how many patients."""
    whole = np.isfinite(values).all(axis=2, keepdims=True)
    count = whole.sum(axis=1)[:, 0]
    kept = count >= 10
    days = np.where(whole, values, np.nan)[kept]
    departure = np.nan_to_num(days - _mean_without_warning(days))
    covariance = departure.transpose(0, 2, 1) @ departure
    size = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 1e-300))
    pairs = np.triu_indices(values.shape[2], 1)
    z = np.arctanh(np.clip(covariance / (size[:, :, None] * size[:, None, :]), -0.99, 0.99))[:, pairs[0], pairs[1]]
    return (float(z.var(axis=0, ddof=1).mean()), len(z)) if len(z) > 2 else (0.0, len(z))


def _mean_without_warning(values: Floats) -> Floats:
    """Return the mean over axis 1 of what is finite; NaN where nothing is."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1, keepdims=True)
    total = np.where(finite, values, 0.0).sum(axis=1, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
