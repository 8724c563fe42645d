"""The default chart: a self-starting likelihood ratio over when, how much and which channels changed.

For each candidate onset day the chart compares two stories of one patient: *nothing changed*, and
*since that day every value is higher by a set number of the patient's SDs*. The mean is not known, so
it is integrated out under the cohort's prior: a short baseline makes the comparison weaker by itself,
and every further day in control makes it stronger (self-starting: Hawkins 1987). The candidates are
summed, not maximised (Shiryaev 1963; Roberts 1966): sums lose less to the search over onset days.

Autocorrelation and missing days are handled exactly: a day ``g`` days after the last one is predicted
with correlation ``rho**g``, and what is left is divided by its SD (the innovations form of a gappy
AR(1)). In these whitened days both stories are linear regressions, so a candidate needs two running
sums: the information about the change and its score. Old candidates are thinned out; a patient's
state does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affect_pipeline.monitoring.arrays import Arrays, Floats, Ints
from affect_pipeline.monitoring.charts import _likelihood_ratio_kernel as kernel
from affect_pipeline.monitoring.charts.base import Field, new_state
from affect_pipeline.monitoring.profile import Profile

SHIFT_SD = 1.0
"""Change, in SDs of the patient, that the chart is tuned to find; nearby ones cost little."""

DAY_CAP_SD = 3.0
"""Days further out than this, in all channels together, count for less: one wild recording is not a lasting change."""

N_SLOTS = 24
"""Candidate onset days kept: each of the last two weeks, then every third, then two more, back to six weeks."""

JOINT_PRIOR = 0.8
"""Weight of changes that move all channels, or a group of them, together; the rest goes to single channels."""


@dataclass(frozen=True)
class Judgement:
    """What one day said.

    Parameters
    ----------
    worse, better : ndarray, shape (n_patients,)
        Log of the mean likelihood ratio of a worsening and of an improvement; NaN on a day without values.
    """

    worse: Floats
    better: Floats


@dataclass(frozen=True)
class Change:
    """Best description of a suspected change, for patients who have one.

    Parameters
    ----------
    onset, onset_low, onset_high : ndarray of int, shape (n_patients,)
        Day number of the onset with the largest weight, and the ends of the shortest run of candidates
        that holds 90 % of the weight.
    effect : ndarray, shape (n_patients, n_channels)
        Change since the onset, in SDs of the patient, worsening is positive; NaN without values.
    effect_se : ndarray, shape (n_patients, n_channels)
        Standard error of `effect`.
    """

    onset: Ints
    onset_low: Ints
    onset_high: Ints
    effect: Floats
    effect_se: Floats


class LikelihoodRatio:
    """Likelihood-ratio chart with a growing baseline, over one or several channels.

    Parameters
    ----------
    profile : Profile
        The cohort: autocorrelation, correlation between channels.
    groups : tuple[tuple[int, ...], ...]
        Sets of channels that tend to move together, beside all of them and each by itself.
    shift_sd : float
        Change to find, in SDs.
    """

    name = "likelihood_ratio"

    def __init__(self, profile: Profile, groups: tuple[tuple[int, ...], ...] = (), shift_sd: float = SHIFT_SD) -> None:
        n_channels = profile.n_channels
        self.rho = np.array(profile.autocorrelation)
        self.gaps = kernel.gap_table(self.rho)
        self.inverse = np.linalg.inv(np.array(profile.correlation))
        self.shift_sd = shift_sd
        self.directions, self.weights = _directions(n_channels, groups)
        joint = self.inverse.sum(axis=1)
        self.joint = joint / np.sqrt(max(float(joint.sum()), 1e-9))

    def fields(self) -> tuple[Field, ...]:
        """Return the arrays of the state."""
        c, k = len(self.rho), N_SLOTS
        return (
            Field("lr_information", "f4", (c,)),
            Field("lr_score", "f4", (c,)),
            Field("lr_squares", "f4", (c,)),
            Field("lr_df", "f4", (c,)),
            Field("lr_last", "f4", (c,)),
            Field("lr_last_day", "i4", (c,), is_day=True),
            Field("lr_frozen", "u1"),
            Field("lr_first_day", "i4", is_day=True),
            Field("lr_n_slots", "u1"),
            Field("lr_slot_day", "i4", (k,), is_day=True),
            Field("lr_slot_gap", "u1", (k, c)),
            Field("lr_slot_information", "u2", (k, c)),
            Field("lr_slot_score", "i2", (k, c)),
        )

    def start(self, window: Floats, last_day: Ints) -> Arrays:
        """Return the state of patients whose baseline ends, with a flat prior of one day's worth on the mean."""
        n, _, c = window.shape
        ones = np.ones((n, c))
        return self.start_with_prior(
            window, last_day, mean=np.zeros((n, c)), mean_information=ones, df=8.0 * ones, variance=ones
        )

    def start_with_prior(
        self, window: Floats, last_day: Ints, *, mean: Floats, mean_information: Floats, df: Floats, variance: Floats
    ) -> Arrays:
        """Return the state of patients whose baseline ends.

        Parameters
        ----------
        window, last_day
            As in `Chart.start`.
        mean, mean_information : ndarray, shape (n_patients, n_channels)
            The cohort's prior of the standardised mean, and its precision.
        df, variance : ndarray, shape (n_patients, n_channels)
            The cohort's prior of the standardised variance.
        """
        n, n_days, _ = window.shape
        state = new_state(self.fields(), n)
        state["lr_information"][:] = mean_information
        state["lr_score"][:] = mean_information * mean
        state["lr_squares"][:] = df * variance + mean_information * mean**2
        state["lr_df"][:] = df
        state["lr_last_day"][:] = kernel.NEVER
        state["lr_first_day"][:] = np.asarray(last_day) + 1
        for k in range(n_days):
            self._step(state, last_day - n_days + 1 + k, window[:, k], judge=False)
        return state

    def update(self, state: Arrays, day: Ints, values: Floats) -> Floats:
        """Take in one day; the statistic is the log likelihood ratio of a worsening."""
        return self.judge(state, day, values).worse

    def judge(self, state: Arrays, day: Ints, values: Floats) -> Judgement:
        """Take in one day, in place, and say what it means in both directions."""
        return self._step(state, day, values, judge=True)

    def _step(self, state: Arrays, day: Ints, values: Floats, judge: bool) -> Judgement:
        worse, better = np.empty(len(values)), np.empty(len(values))
        kernel.step(
            state["lr_information"], state["lr_score"], state["lr_squares"], state["lr_df"], state["lr_last"],
            state["lr_last_day"], state["lr_frozen"], state["lr_first_day"], state["lr_n_slots"],
            state["lr_slot_day"],
            state["lr_slot_gap"], state["lr_slot_information"], state["lr_slot_score"],
            np.ascontiguousarray(day, dtype=np.int32), np.ascontiguousarray(values, dtype=np.float64),
            self._weight(values), judge,
            self.gaps, self.inverse, self.directions, self.weights, self.shift_sd, worse, better,
        )  # fmt: skip
        return Judgement(worse, better)

    def _weight(self, values: Floats) -> Floats:
        """Return the weight of a day, shape (n_patients,): below one beyond `DAY_CAP_SD` in all channels together.

        Weights shrink what a day says without bending it, so sizes of changes stay unbiased.
        """
        together = np.zeros(len(values))
        for c, share in enumerate(self.joint):  # a sum in fixed order: the same for one patient or many
            together += share * np.nan_to_num(values[:, c])
        return np.asarray(np.minimum(1.0, DAY_CAP_SD / np.maximum(np.abs(together), 1e-9)))

    def describe(self, state: Arrays, worsening: bool = True) -> Change:
        """Say since when, and in which channels, patients seem to have changed."""
        n, c = state["lr_df"].shape
        onset, low, high = (np.zeros(n, dtype=np.int32) for _ in range(3))
        effect, error = np.full((n, c), np.nan), np.full((n, c), np.nan)
        kernel.describe(
            state["lr_information"], state["lr_score"], state["lr_squares"], state["lr_df"],
            state["lr_first_day"], state["lr_n_slots"], state["lr_slot_day"], state["lr_slot_gap"],
            state["lr_slot_information"], state["lr_slot_score"],
            self.gaps, self.inverse, self.directions, self.weights, self.shift_sd, 1.0 if worsening else -1.0,
            onset, low, high, effect, error,
        )  # fmt: skip
        return Change(onset, low, high, effect, error)

    def freeze(self, state: Arrays, onset: Ints) -> None:
        """Stop learning: keep the candidate that began at `onset` and no other, in place."""
        kernel.freeze(
            state["lr_frozen"], state["lr_n_slots"], state["lr_slot_day"], state["lr_slot_gap"],
            state["lr_slot_information"], state["lr_slot_score"], np.ascontiguousarray(onset, dtype=np.int32),
        )  # fmt: skip

    def thaw(self, state: Arrays) -> None:
        """Go on learning from the baseline before the change, in place; the changed days are left out."""
        kernel.thaw(
            state["lr_information"], state["lr_score"], state["lr_squares"], state["lr_df"], state["lr_frozen"],
            state["lr_n_slots"], state["lr_slot_gap"], state["lr_slot_information"], state["lr_slot_score"], self.gaps,
        )  # fmt: skip

    def posterior(self, state: Arrays) -> tuple[Floats, Floats]:
        """Return mean and SD of the standardised baseline as known now, each (n_patients, n_channels)."""
        return state["lr_score"] / state["lr_information"], self.scale(state)

    def scale(self, state: Arrays) -> Floats:
        """Return the SD in units of the SD at the baseline, shape (n_patients, n_channels)."""
        residual = state["lr_squares"] - state["lr_score"] ** 2 / state["lr_information"]
        return np.sqrt(np.maximum(residual, 1e-12) / state["lr_df"])


def oldest_candidate(state: Arrays, row: int) -> tuple[Floats, Floats]:
    """Return information and score of one patient since the oldest candidate, each (n_channels,)."""
    information = state["lr_slot_information"][row, 0] * kernel.INFORMATION_UNIT
    return information, state["lr_slot_score"][row, 0] * kernel.SCORE_UNIT


def _directions(n_channels: int, groups: tuple[tuple[int, ...], ...]) -> tuple[Floats, Floats]:
    """Return which channels may move together, shape (n_directions, n_channels), and the weights of that."""
    if n_channels == 1:
        return np.ones((1, 1)), np.ones(1)
    joint = [np.ones(n_channels)]
    joint.extend(np.isin(np.arange(n_channels), group).astype(float) for group in groups)
    rows = np.vstack([*joint, np.eye(n_channels)])
    shares = [JOINT_PRIOR / len(joint)] * len(joint) + [(1 - JOINT_PRIOR) / n_channels] * n_channels
    return np.ascontiguousarray(rows), np.array(shares)
