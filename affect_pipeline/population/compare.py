"""Comparing two weeks of a cohort without mistaking many recordings of one patient for many patients.

Recordings of one patient resemble one another, so tests that count recordings (Kolmogorov-Smirnov and the like, on
all recordings) alarm again and again in a cohort where nothing happens. Here a patient counts once: the difference of
the patient's own means in the two windows. In a steady cohort these differences are independent, with mean zero,
whatever the patient's own level and however alike the patient's days are; a one-sample t test asks whether their mean
is zero. Holm's method holds the chance of one false alarm or more in a night, over all measures and parts of the
cohort, at `Rules.alpha`, whatever the dependence between them.

References
----------
Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, 6, 65-70.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

State = Literal["steady", "shifted", "too_little_data"]

LARGEST_EFFECT = 99.0
"""Stands for a shift of what never varied before."""


@dataclass(frozen=True)
class Rules:
    """What is compared with what, and when a difference is a shift.

    Parameters
    ----------
    current_days, reference_days : int
        Lengths of the windows, whole weeks, so that weekdays weigh the same in both. The reference ends where the
        current one begins.
    min_current, min_reference : int
        Recordings in each window that a patient needs to count.
    min_patients : int
        Patients that a comparison needs.
    alpha : float
        Largest chance, in a steady cohort, that a night says *shifted* of anything.
    min_effect : float
        Smallest shift worth telling, in standard deviations of a typical patient from recording to recording.
    max_patients : int
        Patients looked at: with more, the first by pseudonym, which is as good as drawn by lot.
    """

    current_days: int = 7
    reference_days: int = 28
    min_current: int = 2
    min_reference: int = 4
    min_patients: int = 10
    alpha: float = 0.01
    min_effect: float = 0.25
    max_patients: int = 10_000

    def windows(self, night: date) -> dict[str, date]:
        """Return first and last night of both windows, for a run that ends on `night`."""
        current_first = night - timedelta(days=self.current_days - 1)
        return {
            "reference_first": current_first - timedelta(days=self.reference_days),
            "reference_last": current_first - timedelta(days=1),
            "current_first": current_first,
            "current_last": night,
        }


@dataclass(frozen=True)
class Paired:
    """Patients of one part of the cohort, each compared with the same patient before, in one measure.

    Parameters
    ----------
    dimension, part, measure : str
        Which part, and what of it.
    n_current : int
        Patients with a recording in the current window.
    n_patients : int
        Patients with enough recordings in both windows.
    reference_mean, current_mean : float, optional
        Means over these patients of their means.
    sd_of_differences : float, optional
        Standard deviation over patients of their differences.
    within_sd : float, optional
        Standard deviation of a typical patient's recordings in the reference window.
    """

    dimension: str
    part: str
    measure: str
    n_current: int
    n_patients: int
    reference_mean: float | None = None
    current_mean: float | None = None
    sd_of_differences: float | None = None
    within_sd: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What one comparison found.

    Parameters
    ----------
    paired : Paired
        What was compared.
    state : str
        ``steady``, ``shifted`` or ``too_little_data``.
    reason : str, optional
        Why nothing can be said.
    difference : float, optional
        Mean over patients of current minus reference, in the measure's unit.
    effect : float, optional
        The same in standard deviations of a typical patient.
    p_value : float, optional
        Chance of a difference as large in a steady cohort.
    threshold : float, optional
        What Holm's method asks of `p_value` on this night.
    """

    paired: Paired
    state: State
    reason: str | None = None
    difference: float | None = None
    effect: float | None = None
    p_value: float | None = None
    threshold: float | None = None


def compare(found: Sequence[Paired], rules: Rules) -> list[Comparison]:
    """Judge all comparisons of a night together.

    Parameters
    ----------
    found : sequence of Paired
        What was measured.
    rules : Rules
        When a difference is a shift.

    Returns
    -------
    list of Comparison
        One for each of `found`, in order.
    """
    judged = [_test(one, rules) for one in found]
    p_values = [one.p_value for one in judged if one.p_value is not None]
    threshold = holm_threshold(p_values, rules.alpha)
    return [one if one.p_value is None else _decide(one, threshold, rules) for one in judged]


def holm_threshold(p_values: Sequence[float], alpha: float) -> float:
    """Return the p value up to which Holm's method rejects.

    Examples
    --------
    >>> holm_threshold([0.001, 0.5, 0.02, 0.9], 0.05)
    0.016666666666666666
    """
    n, n_rejected = len(p_values), 0
    for p_value in sorted(p_values):
        if p_value > alpha / (n - n_rejected):
            break
        n_rejected += 1
    return alpha / max(n - n_rejected, 1)


def paired_p_value(mean: float, sd: float, n: int) -> float:
    """Return the two-sided p value of a one-sample t test from mean and standard deviation of `n` differences."""
    from scipy.stats import t as student

    if sd == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * student.sf(abs(mean) / (sd / math.sqrt(n)), n - 1))


def _test(one: Paired, rules: Rules) -> Comparison:
    if one.n_patients < max(rules.min_patients, 2):
        reason = (
            f"{one.n_patients} of {one.n_current} patients have {rules.min_current} recordings in these "
            f"{rules.current_days} nights and {rules.min_reference} in the {rules.reference_days} before; "
            f"{rules.min_patients} are needed"
        )
        return Comparison(one, "too_little_data", reason)
    assert one.reference_mean is not None
    assert one.current_mean is not None
    difference = _rounded(one.current_mean - one.reference_mean)
    p_value = paired_p_value(difference, _rounded(one.sd_of_differences or 0.0), one.n_patients)
    return Comparison(one, "steady", None, difference, _effect(difference, one.within_sd), _rounded(p_value))


def _decide(one: Comparison, threshold: float, rules: Rules) -> Comparison:
    assert one.p_value is not None
    assert one.effect is not None
    shifted = one.p_value <= threshold and abs(one.effect) >= rules.min_effect
    return replace(one, state="shifted" if shifted else "steady", threshold=threshold)


def _effect(difference: float, within_sd: float | None) -> float:
    if difference == 0:
        return 0.0
    ratio = abs(difference) / within_sd if within_sd else LARGEST_EFFECT
    return math.copysign(_rounded(min(ratio, LARGEST_EFFECT)), difference)


def _rounded(value: float) -> float:
    """Return nine digits: sums in the warehouse differ in the last ones with the order of rows."""
    return float(f"{value:.9g}")
