"""Multivariate EWMA with a direction (Lowry et al. 1992; one-sided as Follmann 1996)."""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Floats, Ints
from affect_pipeline.monitoring.charts.base import Field, new_state


class Multivariate:
    """Hotelling's distance of the channels' moving averages, counted where their sum says worse.

    Parameters
    ----------
    correlation : ndarray, shape (n_channels, n_channels)
        Correlation between the channels, as the cohort shows it.
    weight : float
        Weight of the newest day.
    """

    name = "multivariate"

    def __init__(self, correlation: Floats, weight: float = 0.1) -> None:
        self.inverse = np.linalg.inv(np.asarray(correlation, dtype=float))
        self.weight = weight

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state."""
        n_channels = len(self.inverse)
        return (Field("mewma_level", "f8", (n_channels,)), Field("mewma_variance", "f8", (n_channels,)))

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends."""
        return new_state(self.fields(), len(window))

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day."""
        finite = np.isfinite(values)
        level, variance = state["mewma_level"], state["mewma_variance"]
        keep, new = 1 - self.weight, self.weight
        level[:] = np.where(finite, keep * level + new * np.where(finite, values, 0.0), level)
        variance[:] = np.where(finite, keep**2 * variance + new**2, variance)
        scaled = level / np.sqrt(np.maximum(variance, new**2))
        # einsum, not @: BLAS may sum in another order for another number of patients
        distance = np.einsum("ij,jk,ik->i", scaled, self.inverse, scaled)
        worse = np.einsum("jk,ik->i", self.inverse, scaled)
        return np.where(finite.any(axis=1), np.sign(worse) * np.sqrt(np.maximum(distance, 0.0)), np.nan)
