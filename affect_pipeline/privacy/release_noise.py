"""The noise of a release of cohort trends: from records of patients to noisy sums, by OpenDP.

The unit of privacy is one patient: the whole record that a patient has in a release, not a day or a recording. A
patient adds to at most `ReleasePlan.weeks_per_patient` weeks, in each of them one to a count, at most one to the count
of those in alert, and for each channel one value that is clamped to limits which were set before any data was seen.
Values are whole steps of a grid and noise is the discrete Gaussian (Canonne, Kamath & Steinke 2020,
https://arxiv.org/abs/2004.00010), which OpenDP draws exactly: no floating-point noise is added to anything, and
nothing is rounded after it.

Loss is counted as zero-concentrated differential privacy (Bun & Steinke 2016, https://arxiv.org/abs/1605.02658): rho of
many queries and releases add up, and OpenDP turns their sum into (epsilon, delta).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from opendp.mod import Measurement, Transformation

GRID = 1000
"""Steps from the middle of a channel's limits to either end."""

LIMITS: dict[str, tuple[float, float]] = {
    "depression": (-4.0, 4.0),
    "valence": (-1.0, 1.0),
    "arousal": (-1.0, 1.0),
    "pitch_variability": (0.0, 8.0),
    "speech_rate": (0.0, 8.0),
    "pause_rate": (0.0, 60.0),
    "energy_variability": (0.0, 20.0),
}
"""What a week's value is clamped to, in the unit of its channel. Set once, from what the channel can be: a logit beyond
4 is a probability beyond 0.98; valence and arousal have no other values; speech has 2 to 6 syllables a second. Limits
that were looked up in the data would themselves say something about patients."""

COUNT_SHARE = 2
"""The count of patients gets twice the budget of another figure, because every mean is divided by it."""


@dataclass(frozen=True)
class ReleasePlan:
    """What is released, and at which price; says nothing about any patient.

    Parameters
    ----------
    first_week : date
        Monday of the first week.
    n_weeks : int
        Weeks from then on.
    rho : float
        Price in zero-concentrated differential privacy.
    channels : tuple of str
        Channels whose weekly means are released, of `LIMITS`.
    clinics : tuple of str
        One cohort each, named by who asks and not by the data; none for one cohort of everybody.
    weeks_per_patient : int
        Weeks of the release that a patient adds to at most.
    least_patients : int
        Means of weeks with a smaller noisy count are withheld.
    """

    first_week: dt.date
    n_weeks: int
    rho: float
    channels: tuple[str, ...] = ("depression", "valence", "arousal")
    clinics: tuple[str, ...] = ()
    weeks_per_patient: int = 4
    least_patients: int = 20

    def __post_init__(self) -> None:
        unknown = sorted(set(self.channels) - LIMITS.keys())
        if unknown:
            raise ValueError(f"there is no channel {', '.join(unknown)}; there are {', '.join(LIMITS)}")
        if self.first_week.weekday() != 0:
            raise ValueError(f"{self.first_week} is not a Monday")
        if not (self.rho > 0 and self.n_weeks >= 1 and self.weeks_per_patient >= 1):
            raise ValueError("a release has a price above 0, at least one week, and one week of a patient")

    @property
    def weeks(self) -> tuple[dt.date, ...]:
        """Mondays of the weeks."""
        return tuple(self.first_week + dt.timedelta(weeks=number) for number in range(self.n_weeks))

    @property
    def n_cohorts(self) -> int:
        """Cohorts; a patient is in one of them."""
        return max(1, len(self.clinics))

    @property
    def most_weeks(self) -> int:
        """Weeks that a patient adds to at most."""
        return min(self.weeks_per_patient, self.n_weeks)


@dataclass(frozen=True)
class Records:
    """What patients have in a release, one row a patient.

    Parameters
    ----------
    cohort : ndarray of int64, shape (N,)
        Number of the patient's cohort.
    present : ndarray of bool, shape (N, W)
        Weeks with a value of every channel.
    in_alert : ndarray of bool, shape (N, W)
        Weeks of those with an open alert.
    values : ndarray of float64, shape (N, W, C)
        Mean of the week's day values, in units of the channels; read where `present` only.
    """

    cohort: NDArray[np.int64]
    present: NDArray[np.bool_]
    in_alert: NDArray[np.bool_]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class NoisySums:
    """What may leave: sums over patients with noise.

    Parameters
    ----------
    n_patients, n_in_alert : ndarray of int64, shape (G, W)
        Of each cohort and week; may be negative.
    sums : ndarray of int64, shape (C, G, W)
        Sums of values, in steps of the grid from the middle of the channel's limits.
    """

    n_patients: NDArray[np.int64]
    n_in_alert: NDArray[np.int64]
    sums: NDArray[np.int64]


@dataclass(frozen=True)
class NoiseScales:
    """Standard deviations of the noise on each kind of sum, in patients and in steps of the grid."""

    n_patients: float
    n_in_alert: float
    sums: float


def draw(records: Records, plan: ReleasePlan) -> NoisySums:
    """Return noisy sums: the only thing that is ever computed of `records` for others to see."""
    drawn = [np.array(part, np.int64).reshape(plan.n_cohorts, plan.n_weeks) for part in release(plan)(records)]
    return NoisySums(drawn[0], drawn[1], np.stack([*drawn[2:], np.zeros_like(drawn[0])])[: len(plan.channels)])


def price(plan: ReleasePlan) -> float:
    """Return the rho of a release as OpenDP works it out: that of `ReleasePlan.rho`, up to rounding."""
    return _loss(release(plan))


def release(plan: ReleasePlan) -> Measurement:
    """Return the mechanism: at most so many weeks of each patient, then noisy sums."""
    return bounding(plan) >> noisy_sums(plan)


def bounding(plan: ReleasePlan) -> Transformation:
    """Return the step that lets each patient add to few weeks: which ones is drawn for each patient alone."""
    space = _records_space()
    step: Transformation = _opendp().t.make_user_transformation(
        *space, *space, lambda records: _bounded(records, plan), lambda n_patients: n_patients
    )
    return step


def noisy_sums(plan: ReleasePlan) -> Measurement:
    """Return noisy sums of records that are bounded; on others it promises nothing."""
    scales = noise_scales(plan)
    queries = [
        _query(plan, 1, lambda records: records.present, scales.n_patients),
        _query(plan, 1, lambda records: records.present & records.in_alert, scales.n_in_alert),
    ]
    for number, channel in enumerate(plan.channels):
        queries.append(_query(plan, GRID, _steps_of(number, channel), scales.sums))
    composed: Measurement = _opendp().c.make_composition(queries)
    return composed


def noise_scales(plan: ReleasePlan) -> NoiseScales:
    """Return the noise that `ReleasePlan.rho` asks for, shared among the queries; needs no data."""
    share = plan.rho / (COUNT_SHARE + 1 + len(plan.channels))
    count, each = (_scale(plan, 1, share * times) for times in (COUNT_SHARE, 1))
    return NoiseScales(count, each, _scale(plan, GRID, share))


@lru_cache(maxsize=64)
def rho_of(epsilon: float, delta: float) -> float:
    """Return the largest rho that keeps (epsilon, delta), as OpenDP converts it."""
    dp = _opendp()
    scale = dp.binary_search_param(
        lambda s: dp.c.make_fix_delta(dp.c.make_zCDP_to_approxDP(_one_number(s)), delta), 1, (epsilon, delta)
    )
    return _loss(_one_number(scale))


def epsilon_of(rho: float, delta: float) -> float:
    """Return the epsilon that rho keeps at a delta."""
    if rho <= 0:
        return 0.0
    return float(_opendp().c.make_zCDP_to_approxDP(_one_number(math.sqrt(0.5 / rho))).map(1).epsilon(delta))


def _one_number(scale: float) -> Any:
    dp = _opendp()
    return dp.m.make_gaussian(dp.atom_domain(T=int), dp.absolute_distance(T=int), scale)


def _loss(measurement: Any) -> float:
    """Return the rho that one patient more or less costs."""
    return float(measurement.map(1))


def _query(plan: ReleasePlan, largest: int, steps: Callable[[Records], NDArray[Any]], scale: float) -> Any:
    """Return noisy sums of whole numbers of patients, each between -largest and largest, by cohort and week."""
    return _summing(plan, largest, steps) >> _opendp().m.then_gaussian(scale)


def _summing(plan: ReleasePlan, largest: int, steps: Callable[[Records], NDArray[Any]]) -> Any:
    """Return exact sums: without a patient they differ in at most so many weeks, by at most `largest` in each."""
    dp = _opendp()

    def add_up(records: Records) -> list[int]:
        sums = np.zeros((plan.n_cohorts, plan.n_weeks), np.int64)
        np.add.at(sums, records.cohort, np.where(records.present, steps(records), 0).astype(np.int64))
        return [int(value) for value in sums.ravel()]

    def distance(n_patients: int) -> float:
        return math.nextafter(n_patients * largest * math.sqrt(plan.most_weeks), math.inf)

    numbers = dp.vector_domain(dp.atom_domain(T=int))
    return dp.t.make_user_transformation(*_records_space(), numbers, dp.l2_distance(T=float), add_up, distance)


def _scale(plan: ReleasePlan, largest: int, rho: float) -> float:
    """Return the least noise that keeps a query within rho."""
    dp = _opendp()
    exact = _summing(plan, largest, lambda records: records.present)
    return float(dp.binary_search_param(lambda s: exact >> dp.m.then_gaussian(s), 1, rho, T=float))


def _steps_of(number: int, channel: str) -> Callable[[Records], NDArray[Any]]:
    low, high = LIMITS[channel]

    def steps(records: Records) -> NDArray[Any]:
        values = np.clip(np.nan_to_num(records.values[:, :, number]), low, high)
        return np.rint((values - (low + high) / 2) / ((high - low) / 2) * GRID)

    return steps


def _bounded(records: Records, plan: ReleasePlan) -> Records:
    order = np.random.default_rng().random(records.present.shape)
    order[~records.present] = np.inf
    chosen = order.argsort(1).argsort(1) < plan.most_weeks
    return Records(records.cohort, records.present & chosen, records.in_alert, records.values)


def _records_space() -> tuple[Any, Any]:
    dp = _opendp()
    return dp.user_domain("records of patients", lambda value: isinstance(value, Records)), dp.symmetric_distance()


def _opendp() -> Any:
    """Return OpenDP with what this module needs: its own sums, whose stability is argued in `_summing`."""
    import opendp.prelude as dp

    dp.enable_features("contrib", "honest-but-curious")
    return dp
