"""One-sided cumulative sum (Page 1954)."""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Floats, Ints
from affect_pipeline.monitoring.charts.base import Field, new_state, seen_mean


class Cusum:
    """Sum of what exceeds a reference value, never below zero.

    Parameters
    ----------
    reference : float
        Half of the change that is to be found, in SDs.
    """

    name = "cusum"

    def __init__(self, reference: float = 0.5) -> None:
        if reference < 0:
            raise ValueError(f"the reference value of a CUSUM is not negative, but {reference}")
        self.reference = reference

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state."""
        return (Field("cusum_sum", "f8"),)

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends."""
        return new_state(self.fields(), len(window))

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day."""
        mean, count = seen_mean(values)
        total = np.maximum(state["cusum_sum"] + mean * np.sqrt(count) - self.reference, 0.0)
        state["cusum_sum"][:] = np.where(count > 0, total, state["cusum_sum"])
        return np.where(count > 0, total, np.nan)
