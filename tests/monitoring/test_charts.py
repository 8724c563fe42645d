"""What every chart promises, whatever its kind."""

from __future__ import annotations

import numpy as np
import pytest

from affect_pipeline.monitoring.charts import (
    Adherence,
    Chart,
    Cusum,
    Ewma,
    LikelihoodRatio,
    Multivariate,
    Shewhart,
    Spread,
    pack,
    state_size,
    unpack,
)  # fmt: skip
from affect_pipeline.monitoring.charts._likelihood_ratio_kernel import FIRST_DAYS, FIRST_WEIGHT
from affect_pipeline.monitoring.charts.likelihood_ratio import DAY_CAP_SD
from affect_pipeline.monitoring.profile import default_profile

N, BASE, DAYS, CHANNELS = 40, 28, 40, 3

CHARTS = [
    Shewhart(), Ewma(0.1), Cusum(0.5), Spread(), Adherence(), Multivariate(np.eye(CHANNELS)),
    LikelihoodRatio(default_profile(CHANNELS)),
]  # fmt: skip

every_chart = pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)


def made(seed: int = 0, shift: float = 0.0, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a baseline window and the days after it, one in five missing."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((N, BASE + DAYS, CHANNELS))
    z[:, BASE:] = z[:, BASE:] * spread + shift
    z[rng.random((N, BASE + DAYS)) < 0.2] = np.nan
    return np.clip(z[:, :BASE], -3, 3), np.clip(z[:, BASE:], -3, 3)


def run(chart: Chart, window: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, dict]:
    state = chart.start(window, np.full(len(window), BASE - 1))
    statistics = [chart.update(state, np.full(len(days), BASE + k), days[:, k]) for k in range(days.shape[1])]
    return np.stack(statistics, axis=1), state


@every_chart
def test_statistics_are_finite_on_days_with_values_and_nan_on_days_without(chart: Chart) -> None:
    window, days = made()

    statistic, _ = run(chart, window, days)

    seen = np.isfinite(days).any(axis=2)
    assert seen.any()
    assert not seen.all()
    judged = np.ones_like(seen) if chart.name == "adherence" else seen  # silence says something, too
    np.testing.assert_array_equal(np.isfinite(statistic), judged)


@every_chart
def test_a_change_for_the_worse_raises_the_statistic(chart: Chart) -> None:
    window, calm = made(seed=1)
    changes = {"spread": {"spread": 2.0}, "adherence": {"spread": np.nan}}  # restlessness, silence; else a shift
    _, changed = made(seed=1, **changes.get(chart.name, {"shift": 1.5}))

    before, _ = run(chart, window, calm)
    after, _ = run(chart, window, changed)

    assert np.nanmean(after[:, -10:]) > np.nanmean(before[:, -10:]) + 0.3


@every_chart
def test_a_patient_is_judged_the_same_to_the_last_bit_alone_or_in_company(chart: Chart) -> None:
    window, days = made(seed=2)

    together, state = run(chart, window, days)
    alone, lone_state = run(chart, window[7:8], days[7:8])

    np.testing.assert_array_equal(alone[0], together[7])
    for field in chart.fields():
        np.testing.assert_array_equal(lone_state[field.name][0], state[field.name][7])


@every_chart
def test_a_state_that_was_packed_and_unpacked_goes_on_as_if_nothing_had_happened(chart: Chart) -> None:
    window, days = made(seed=3)
    whole, _ = run(chart, window, days)

    _, state = run(chart, window, days[:, :20])
    packed = pack(state, chart.fields())
    state = unpack(packed.copy(), chart.fields())
    rest = [chart.update(state, np.full(N, BASE + k), days[:, k]) for k in range(20, DAYS)]

    assert packed.shape == (N, state_size(chart.fields()))
    np.testing.assert_array_equal(np.stack(rest, axis=1), whole[:, 20:])


@every_chart
def test_a_state_does_not_grow(chart: Chart) -> None:
    window, days = made(seed=4)

    _, short = run(chart, window, days[:, :2])
    _, long = run(chart, window, days)

    assert pack(short, chart.fields()).shape == pack(long, chart.fields()).shape


def test_a_state_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes a patient"):
        unpack(np.zeros((2, 3), np.uint8), Ewma().fields())


@pytest.mark.parametrize("weight", [0.0, -0.1, 1.5])
def test_an_ewma_refuses_a_weight_that_is_none(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        Ewma(weight)


def likelihood_ratio_by_hand(window: np.ndarray, days: np.ndarray, rho: float, shift: float) -> float:
    """Return the log of the summed likelihood ratio by dense linear algebra, all onset days kept."""
    y = np.concatenate([window, days])
    assert np.nanmax(np.abs(y)) <= DAY_CAP_SD
    seen = np.flatnonzero(np.isfinite(y))
    y = y[seen]
    covariance = rho ** np.abs(seen[:, None] - seen[None, :])
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    total, before = 0.0, None
    ones, e = root @ np.ones(len(y)), root @ y
    information, score, squares = 1.0 + ones @ ones, ones @ e, 8.0 + e @ e
    # one over the SD, by numbers: a chi distribution, whose mean the likelihood ratio takes
    levels = np.linspace(0.0, 12.0, 4001)
    density = levels ** (8.0 + len(y) - 1.0) * np.exp(-(levels**2) / 2)
    precision = levels / np.sqrt(squares - score**2 / information)
    for onset in seen[seen >= len(window)]:
        jump = root @ (seen >= onset).astype(float)
        cross = jump @ ones
        info = jump @ jump - cross**2 / information
        gain = jump @ e - cross * score / information
        ratio = density @ np.exp(shift * gain * precision - shift**2 / 2 * info) / density.sum()
        # an onset day stands for the days without a journal before it, too
        first = FIRST_WEIGHT if onset - len(window) <= FIRST_DAYS else 1.0
        total += (first if before is None else onset - before) * ratio
        before = onset
    return float(np.log(total))


def test_the_likelihood_ratio_is_that_of_the_full_gaussian_model_with_gaps() -> None:
    chart = LikelihoodRatio(default_profile(1))
    window, days = made(seed=5)
    window, days = window[:, :, :1], days[:, :6, :1]

    statistic, _ = run(chart, window, days)

    patients = np.flatnonzero(np.isfinite(days[:, -1, 0]))
    assert len(patients) > 20
    for i in patients:
        by_hand = likelihood_ratio_by_hand(window[i, :, 0], days[i, :, 0], 0.3, chart.shift_sd)
        # the sums of a candidate are kept in two bytes each
        assert statistic[i, -1] == pytest.approx(by_hand, rel=2e-3, abs=0.02)


def test_the_onset_and_the_size_of_a_change_are_found() -> None:
    chart = LikelihoodRatio(default_profile(CHANNELS))
    rng = np.random.default_rng(6)
    z = rng.standard_normal((N, BASE + 30, CHANNELS))
    z[:, BASE + 15 :] += 2.0
    _, state = run(chart, np.clip(z[:, :BASE], -3, 3), np.clip(z[:, BASE:], -4, 4))

    change = chart.describe(state)

    true_onset = BASE + 15
    assert np.mean(np.abs(change.onset - true_onset) <= 3) > 0.8
    assert np.mean((change.onset_low <= true_onset) & (true_onset <= change.onset_high)) > 0.6
    assert np.nanmedian(change.effect) == pytest.approx(2.0, abs=0.25)


def test_a_frozen_baseline_does_not_learn_the_change_and_a_thawed_one_goes_on_from_before() -> None:
    chart = LikelihoodRatio(default_profile(1))
    rng = np.random.default_rng(7)
    z = np.clip(rng.standard_normal((N, BASE + 40, 1)), -3, 3)
    z[:, BASE + 10 :] += 2.0
    state = chart.start(z[:, :BASE], np.full(N, BASE - 1))
    for k in range(BASE, BASE + 20):
        chart.update(state, np.full(N, k), z[:, k])
    chart.freeze(state, chart.describe(state).onset)
    for k in range(BASE + 20, BASE + 40):
        chart.update(state, np.full(N, k), z[:, k])
    chart.thaw(state)

    mean, sd = chart.posterior(state)

    assert abs(float(np.mean(mean))) < 0.35
    assert float(np.mean(sd)) == pytest.approx(1.0, abs=0.2)
