"""Shewhart chart: judges each day by itself (Shewhart 1931)."""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Floats, Ints
from affect_pipeline.monitoring.charts.base import Field, new_state, seen_mean


class Shewhart:
    """The mean over channels of one day, in its own SDs; quick for one huge change, blind to small lasting ones."""

    name = "shewhart"

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state: only the last day seen."""
        return (Field("shewhart_day", "i4", is_day=True),)

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends."""
        state = new_state(self.fields(), len(window))
        state["shewhart_day"][:] = last_day
        return state

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day; the statistic is the mean of the channels times the root of their number."""
        mean, count = seen_mean(values)
        state["shewhart_day"][:] = np.where(count > 0, day, state["shewhart_day"])
        return np.where(count > 0, mean * np.sqrt(count), np.nan)
