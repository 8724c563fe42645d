"""Chart of the day-to-day spread: restlessness can come before a lower mood.

Rising variance and autocorrelation precede transitions in mood (van de Leemput et al. 2014, "Critical
slowing down as early warning for the onset and termination of depression", PNAS 111).
"""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Floats, Ints
from affect_pipeline.monitoring.charts.base import Field, new_state


class Spread:
    """Moving average of squared departures from a slowly moving level, mean over channels, minus the baseline's.

    Parameters
    ----------
    weight : float
        Weight of the newest day in the spread.
    level_weight : float
        Weight of the newest day in the level, so that a shift of the mean soon stops counting as spread.
    cap : float
        Largest squared departure that counts.
    """

    name = "spread"

    def __init__(self, weight: float = 0.08, level_weight: float = 0.15, cap: float = 9.0) -> None:
        self.weight, self.level_weight, self.cap = weight, level_weight, cap

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state; the level has one entry for up to eight channels."""
        return (Field("spread_level", "f4", (8,)), Field("spread_now", "f8"), Field("spread_usual", "f8"))

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends; their usual spread is shrunk towards one."""
        state = new_state(self.fields(), len(window))
        state["spread_now"][:] = 1.0
        state["spread_usual"][:] = 1.0
        total, days = np.zeros(len(window)), np.zeros(len(window))
        for k in range(window.shape[1]):
            square, seen = self._square(state, window[:, k])
            total += np.where(seen, square, 0.0)
            days += seen
        usual = (10.0 + total) / (10.0 + days)
        state["spread_usual"][:] = usual
        state["spread_now"][:] = usual
        return state

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day; the statistic is the log ratio of the spread now to the usual one."""
        square, seen = self._square(state, values)
        now = (1 - self.weight) * state["spread_now"] + self.weight * square
        state["spread_now"][:] = np.where(seen, now, state["spread_now"])
        ratio = np.log(np.maximum(state["spread_now"], 1e-3) / np.maximum(state["spread_usual"], 1e-3))
        return np.where(seen, ratio, np.nan)

    def _square(self, state: Arrays, values: Floats) -> tuple[Floats, Floats]:
        """Return the mean squared departure over channels, and whether there was one; moves the level."""
        n_channels = values.shape[1]
        level = state["spread_level"][:, :n_channels].astype(float)
        finite = np.isfinite(values)
        departure = np.where(finite, values - level, 0.0)
        level += self.level_weight * departure
        state["spread_level"][:, :n_channels] = level
        count = finite.sum(axis=1)
        square = np.minimum(departure**2, self.cap).sum(axis=1) / np.maximum(count, 1)
        return square, count > 0
