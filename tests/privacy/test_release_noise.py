"""Releases hide a patient as well as they say: measured on neighbouring data, and broken mechanisms are found."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from affect_pipeline.privacy.release_figures import EVERYBODY, fieller, figures
from affect_pipeline.privacy.release_noise import (
    GRID,
    LIMITS,
    NoiseScales,
    NoisySums,
    Records,
    ReleasePlan,
    draw,
    epsilon_of,
    noise_scales,
    noisy_sums,
    price,
    release,
    rho_of,
)

MONDAY = dt.date(2026, 1, 5)
WEEKS, BOUND = 4, 1
RHO = 0.5
DELTAS = (1e-6, 0.01, 0.05)
RUNS = 2_000
PAST_SD = 2.2
"""Outputs further than this from those without the patient count as a sign of the patient."""


def plan(**changes: object) -> ReleasePlan:
    asked = ReleasePlan(MONDAY, WEEKS, RHO, channels=("depression",), weeks_per_patient=BOUND)
    return replace(asked, **changes)  # type: ignore[arg-type]


def patients(n: int, value: float = -9.0, channels: int = 1, weeks: int = WEEKS) -> Records:
    """Return patients who are in each of the first weeks, in alert, with values beyond the limits."""
    there = np.broadcast_to(np.arange(WEEKS) < weeks, (n, WEEKS))
    return Records(np.zeros(n, np.int64), there, np.ones_like(there), np.full((n, WEEKS, channels), value))


def with_one_more(weeks: int) -> Records:
    """Return the patients of `patients(3, weeks=BOUND)` and the worst one to hide: as much of everything as goes."""
    others, more = patients(3, weeks=BOUND), patients(1, weeks=weeks)
    return Records(*(np.concatenate([getattr(r, f) for r in (others, more)]) for f in Records.__dataclass_fields__))


def signs(mechanism: Callable[[Records], list[list[int]]], records: Records, weeks: int) -> np.ndarray:
    """Return how much each of many outputs looks as if that patient were there.

    Sums are weighed by their noise, as the best test between two normal distributions does.
    """
    scales = noise_scales(plan())
    weights = [1 / scales.n_patients**2, 1 / scales.n_in_alert**2, -GRID / scales.sums**2]
    runs = (mechanism(records) for _ in range(RUNS))
    return np.array([np.dot(weights, [sum(part[:weeks]) for part in parts]) for parts in runs])


def proven_epsilon(without: np.ndarray, with_one: np.ndarray, delta: float) -> float:
    """Return the epsilon that outputs on neighbouring data prove with 99.8 % confidence (Clopper and Pearson)."""
    threshold = without.mean() + PAST_SD * without.std()
    false, true = int((without > threshold).sum()), int((with_one > threshold).sum())
    high = beta.ppf(0.999, false + 1, RUNS - false)
    low = beta.ppf(0.001, true, RUNS - true + 1) if true else 0.0
    return math.log((low - delta) / high) if low > delta else 0.0


def proven(mechanism: Callable[[Records], list[list[int]]], weeks: int) -> list[tuple[float, float]]:
    """Return for each delta the epsilon that was proven and the one that is stated."""
    without = signs(mechanism, patients(3, weeks=BOUND), weeks)
    with_one = signs(mechanism, with_one_more(weeks), weeks)
    stated = price(plan())
    return [(proven_epsilon(without, with_one, delta), epsilon_of(stated, delta)) for delta in DELTAS]


def test_no_more_privacy_is_lost_on_neighbouring_data_than_is_stated() -> None:
    found = proven(release(plan()), weeks=BOUND)

    assert all(seen <= stated for seen, stated in found)
    assert found[0][0] > 0.5  # the measure sees something


def test_the_same_measure_finds_noise_that_is_half_of_what_is_stated() -> None:
    assert any(seen > stated for seen, stated in proven(release(plan(rho=4 * RHO)), weeks=BOUND))


def test_the_same_measure_finds_patients_whose_weeks_are_not_bounded() -> None:
    assert any(seen > stated for seen, stated in proven(noisy_sums(plan()), weeks=WEEKS))


def test_the_price_is_shared_among_the_queries_and_adds_up() -> None:
    for channels in ((), ("depression",), tuple(LIMITS)):
        asked = plan(channels=channels, rho=0.02)

        assert price(asked) == pytest.approx(0.02, rel=1e-9)
        assert price(asked) <= 0.02 * (1 + 1e-9)


def test_epsilon_and_rho_are_turned_into_one_another_by_opendp() -> None:
    rho = rho_of(1.0, 1e-6)

    assert epsilon_of(rho, 1e-6) == pytest.approx(1.0, rel=1e-6)
    assert epsilon_of(2 * rho, 1e-6) < 2.0  # composing costs less than adding epsilons
    assert epsilon_of(0.0, 1e-6) == 0.0


def test_noise_has_the_stated_size_and_sums_are_right_without_it() -> None:
    asked = plan(rho=50.0, weeks_per_patient=WEEKS, channels=("depression", "valence"))
    scales, many = noise_scales(asked), patients(2_000, value=0.5, channels=2)

    drawn = draw(many, asked)
    off = (drawn.sums - np.array([125, 500])[:, None, None] * 2_000) / scales.sums

    assert abs(drawn.n_patients - 2_000).max() < 6 * scales.n_patients + 1
    assert abs(drawn.n_in_alert - 2_000).max() < 6 * scales.n_in_alert + 1
    assert 0.2 < off.std() < 2.5


def test_a_patient_adds_to_few_weeks_only_and_values_are_clamped() -> None:
    asked = plan(rho=1e6)  # hardly any noise

    drawn = draw(patients(300, value=1e9), asked)

    assert abs(drawn.n_patients.sum() - 300 * BOUND) < 5
    assert drawn.n_patients.min() > 50  # each patient's weeks are drawn: no week is left out
    assert drawn.sums.sum() / (300 * BOUND * GRID) == pytest.approx(1.0, abs=0.01)


def test_missing_weeks_and_values_add_nothing() -> None:
    records = patients(50, value=math.nan)

    drawn = draw(replace(records, present=np.zeros_like(records.present)), plan(rho=1e6))

    assert abs(drawn.n_patients).max() <= 1
    assert abs(drawn.n_in_alert).max() <= 1


def test_clinics_are_cohorts_of_their_own() -> None:
    records = replace(patients(30), cohort=np.repeat([0, 1], [10, 20]))

    drawn = draw(records, plan(rho=1e6, clinics=("north", "south"), weeks_per_patient=WEEKS))

    assert abs(drawn.n_patients[0] - 10).max() <= 1
    assert abs(drawn.n_patients[1] - 20).max() <= 1


def test_intervals_hold_the_figure_without_noise_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(4_000):
        interval = fieller(rng.normal(30.0, 12.0), rng.normal(100.0, 10.0), 12.0, 10.0)
        assert interval is not None
        held += interval[0] <= 0.3 <= interval[1]

    assert held / 4_000 == pytest.approx(0.95, abs=0.012)


def test_figures_that_are_lost_in_the_noise_are_withheld() -> None:
    asked = plan(least_patients=20)
    counts = np.full((1, WEEKS), 1_000)
    counts[0, :3] = (-3, 19, 40)
    noisy = NoisySums(counts, counts // 10, np.full((1, 1, WEEKS), 100 * GRID))

    rows = figures(noisy, asked, NoiseScales(30.0, 30.0, 30.0 * GRID))
    means = [row for row in rows if row.measure == "depression"]

    assert [row.value is None for row in means] == [True, True, True, False]
    assert means[3].value == pytest.approx(4 * 0.1)
    assert means[3].low_95 < means[3].value < means[3].high_95  # type: ignore[operator]
    assert {row.cohort for row in rows} == {EVERYBODY}
    assert min(row.low_95 for row in rows if row.measure == "patients") == 0.0  # type: ignore[type-var]


def test_plans_that_make_no_sense_are_refused() -> None:
    for wrong in ({"channels": ("mood",)}, {"first_week": MONDAY + dt.timedelta(days=1)}, {"rho": 0.0}):
        with pytest.raises(ValueError, match=r"channel|Monday|price"):
            plan(**wrong)
