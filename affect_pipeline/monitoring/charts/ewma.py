"""Exponentially weighted moving average with its exact variance (Roberts 1959; Lucas & Saccucci 1990)."""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Floats, Ints
from affect_pipeline.monitoring.charts.base import Field, new_state, seen_mean


class Ewma:
    """Moving average of the mean over channels, divided by the SD it has after this many days.

    Parameters
    ----------
    weight : float
        Weight of the newest day, between 0 and 1; small weights find small lasting changes.
    """

    name = "ewma"

    def __init__(self, weight: float = 0.1) -> None:
        if not 0 < weight <= 1:
            raise ValueError(f"the weight of an EWMA lies above 0 and is at most 1, not {weight}")
        self.weight = weight

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state."""
        return (Field("ewma_level", "f8"), Field("ewma_variance", "f8"))

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends: the average starts at the baseline mean."""
        return new_state(self.fields(), len(window))

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day."""
        mean, count = seen_mean(values)
        seen = count > 0
        keep, new = 1 - self.weight, self.weight
        level = keep * state["ewma_level"] + new * mean * np.sqrt(count)
        variance = keep**2 * state["ewma_variance"] + new**2
        state["ewma_level"][:] = np.where(seen, level, state["ewma_level"])
        state["ewma_variance"][:] = np.where(seen, variance, state["ewma_variance"])
        return np.where(seen, level / np.sqrt(variance), np.nan)
