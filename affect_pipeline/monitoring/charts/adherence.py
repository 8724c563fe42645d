"""Silence as a signal: a CUSUM of journals that did not come (Page 1954; Bernoulli form, Reynolds & Stoumbos 1999)."""

from __future__ import annotations

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Bools, Floats, Ints
from affect_pipeline.monitoring.charts.base import Field, new_state


class Adherence:
    """Log likelihood ratio of *records a third as often* against *records as usual*, never below zero.

    Parameters
    ----------
    ratio : float
        Share of the usual rate that is to be found out.
    cohort_rate : float
        Share of days on which patients usually record, for a start from day values alone.
    """

    name = "adherence"

    name = "adherence"

    def __init__(self, ratio: float = 0.35, cohort_rate: float = 0.7) -> None:
        self.ratio, self.cohort_rate = ratio, cohort_rate

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state."""
        return (Field("adherence_rate", "f8"), Field("adherence_sum", "f8"))

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends."""
        recorded = np.isfinite(window).any(axis=2)
        return self.start_at(recorded.sum(axis=1), window.shape[1], self.cohort_rate)

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day; unlike other charts this one judges days without values, too."""
        return self.take(state, np.asarray(np.isfinite(values).any(axis=1)))

    def start_at(self, seen_days: Floats, n_days: int, cohort_rate: float) -> Arrays:
        """Return the state of patients with so many days seen out of `n_days`, shrunk by a week's worth of cohort."""
        state = new_state(self.fields(), len(seen_days))
        rate = (np.asarray(seen_days, dtype=float) + 7.0 * cohort_rate) / (n_days + 7.0)
        state["adherence_rate"][:] = np.clip(rate, 0.05, 0.97)
        return state

    def take(self, state: Arrays, recorded: Bools) -> Floats:
        """Take in whether patients recorded on a day, in place; returns the statistic, shape (n_patients,)."""
        rate = state["adherence_rate"]
        low = self.ratio * rate
        step = np.where(recorded, np.log(self.ratio), np.log((1 - low) / (1 - rate)))
        state["adherence_sum"][:] = np.maximum(state["adherence_sum"] + step, 0.0)
        return np.asarray(state["adherence_sum"].copy())
