"""Calibration of a logit: one temperature, a reliability table and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BINS = 10


@dataclass(frozen=True)
class Reliability:
    """One bin of the reliability diagram: said probability, share that was true, how many."""

    said: float
    true: float
    n: int


@dataclass(frozen=True)
class Calibration:
    """A temperature and what it does.

    Parameters
    ----------
    temperature : float
        Probability = sigmoid(logit / temperature).
    ece_before, ece_after : float
        Expected calibration error with temperature 1 and with this one (classes weighted alike).
    reliability : tuple of Reliability
        With this temperature.
    """

    temperature: float
    ece_before: float
    ece_after: float
    reliability: tuple[Reliability, ...]


def fit_calibration(logits: Array, truth: Array) -> Calibration:
    """Fit a temperature on logits of speakers that the heads did not hear.

    Parameters
    ----------
    logits : ndarray, shape (n,)
        NaN where there is none.
    truth : ndarray, shape (n,)
        1, 0, or NaN where unknown. Both classes get the same total weight, since a corpus' share of sad
        recordings says nothing about patients.
    """
    known = ~np.isnan(logits) & ~np.isnan(truth)
    x, y = logits[known], truth[known]
    if len(np.unique(y)) < 2:
        return Calibration(1.0, float("nan"), float("nan"), ())
    weights = np.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    # Golden section would do too; a fine grid is plain, and deterministic to the digit.
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 600))
    losses = [float(np.sum(weights * np.logaddexp(0, np.where(y == 1, -x, x) / t))) for t in grid]
    temperature = round(float(grid[int(np.argmin(losses))]), 4)
    before, _ = reliability(sigmoid(x), y, weights)
    after, bins = reliability(sigmoid(x / temperature), y, weights)
    return Calibration(temperature, before, after, bins)


def reliability(said: Array, truth: Array, weights: Array) -> tuple[float, tuple[Reliability, ...]]:
    """Return the expected calibration error and the bins, `BINS` of equal width (Guo et al. 2017)."""
    which = np.minimum((said * BINS).astype(int), BINS - 1)
    error, bins = 0.0, []
    for number in range(BINS):
        inside = which == number
        if inside.any():
            w = weights[inside] / weights[inside].sum()
            mean, share = float(np.sum(w * said[inside])), float(np.sum(w * truth[inside]))
            error += float(weights[inside].sum() / weights.sum()) * abs(mean - share)
            bins.append(Reliability(round(mean, 4), round(share, 4), int(inside.sum())))
    return error, tuple(bins)


def sigmoid(x: Array) -> Array:
    """Return the logistic function, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), np.float64)
