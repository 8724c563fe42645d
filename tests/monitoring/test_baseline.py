"""Profiles of a cohort and personal baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from affect_pipeline.monitoring.baseline import carry, cohort_only, estimate_baseline, standardise
from affect_pipeline.monitoring.profile import Profile, default_profile
from affect_pipeline.monitoring.profile_fit import fit_profile
from affect_pipeline.monitoring.simulation import in_control


def cohort(n: int = 1500, n_days: int = 28, seed: int = 3, **changes: object) -> tuple[np.ndarray, np.ndarray]:
    return in_control(replace(default_profile(1), **changes), n, n_days, seed)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_the_autocorrelation_of_short_gappy_series_is_found_without_bias(rho: float) -> None:
    profile = fit_profile(*cohort(autocorrelation=(rho,)))

    assert profile.autocorrelation[0] == pytest.approx(rho, abs=0.05)


def test_means_spreads_and_missing_days_of_a_cohort_are_found() -> None:
    values, weekday = cohort(mean=(5.0,), between_sd=(2.0,), missing=0.4)

    profile = fit_profile(values, weekday)

    assert profile.mean[0] == pytest.approx(5.0, abs=0.2)
    assert profile.between_sd[0] == pytest.approx(2.0, rel=0.1)
    # E(variance) is df / (df - 2) times the scale
    assert profile.variance[0] * profile.variance_df[0] / (profile.variance_df[0] - 2) == pytest.approx(8 / 6, rel=0.1)
    assert profile.missing == pytest.approx(0.4, abs=0.02)


def test_weekday_cycles_are_found_and_only_where_there_are_any() -> None:
    cycle = tuple(float(x) for x in 0.6 * np.sin(2 * np.pi * np.arange(7) / 7))

    with_cycle = fit_profile(*cohort(weekday=(cycle,), weekday_sd=(0.2,)))
    without = fit_profile(*cohort())

    np.testing.assert_allclose(with_cycle.weekday[0], cycle, atol=0.1)
    assert with_cycle.weekday_sd[0] > 0.1
    assert np.abs(without.weekday[0]).max() < 0.05


@pytest.mark.parametrize(("tail", "heavy"), [(0.0, False), (4.0, True)])
def test_heavy_tails_are_noticed(tail: float, heavy: bool) -> None:
    profile = fit_profile(*cohort(tail_df=(tail,)))

    assert (0 < profile.tail_df[0] <= 6) == heavy


def test_made_up_patients_with_heavy_tails_resemble_one_another_as_much_as_the_profile_says() -> None:
    wanted = ((1.0, 0.5), (0.5, 1.0))
    heavy = replace(default_profile(2), correlation=wanted, autocorrelation=(0.5, 0.3), tail_df=(4.0, 4.0))

    profile = fit_profile(*in_control(heavy, 4000, 28, 4))

    assert profile.autocorrelation == pytest.approx((0.5, 0.3), abs=0.015)
    assert profile.correlation[0][1] == pytest.approx(0.5, abs=0.04)
    assert profile.tail_df == (4.0, 4.0)


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_how_much_patients_differ_in_their_correlations_is_found(degrees: float) -> None:
    several = replace(default_profile(5), correlation=tuple(map(tuple, 0.2 + 0.8 * np.eye(5))), correlation_df=degrees)

    found = fit_profile(*in_control(several, 300, 28, 6)).correlation_df

    assert found == pytest.approx(degrees, rel=0.2)


def test_a_few_patients_are_expected_to_differ_in_their_correlations() -> None:
    few = fit_profile(*in_control(default_profile(3), 2, 28, 6))

    assert few.correlation_df > 0
    assert fit_profile(*cohort(n=50)).correlation_df == 0


def test_strong_correlations_of_heavy_tails_can_still_be_simulated() -> None:
    several = replace(
        default_profile(3),
        correlation=((1.0, 0.9, 0.85), (0.9, 1.0, 0.62), (0.85, 0.62, 1.0)),
        tail_df=(3.5, 0.0, 4.0),
    )

    assert np.isfinite(in_control(replace(several, missing=0.0, missing_sd=0.0), 20, 28, 5)[0]).all()


def test_the_correlation_between_channels_is_found() -> None:
    wanted = ((1.0, 0.5), (0.5, 1.0))
    values, weekday = in_control(replace(default_profile(2), correlation=wanted), 1000, 28, 4)

    assert fit_profile(values, weekday).correlation[0][1] == pytest.approx(0.5, abs=0.06)


def test_a_cohort_of_nobody_or_of_constant_scores_still_has_a_profile() -> None:
    nobody = fit_profile(np.zeros((0, 28, 2)), np.zeros(0, np.int32))
    constant = fit_profile(np.full((5, 28, 2), 0.5), np.zeros(5, np.int32))

    for profile in (nobody, constant):
        assert all(np.isfinite(profile.variance))
        assert np.linalg.eigvalsh(np.array(profile.correlation))[0] > 0
        assert Profile.from_json(profile.to_json()) == profile


def test_units_do_not_change_the_shape_that_limits_depend_on() -> None:
    values, weekday = cohort(n=300)

    assert fit_profile(values, weekday).shape_key() == fit_profile(values * 1000 + 5000, weekday).shape_key()


def test_a_short_baseline_is_shrunk_towards_the_cohort_more_than_a_long_one() -> None:
    profile = default_profile(1)
    far = np.full((1, 28, 1), np.nan)
    few, many = far.copy(), far.copy()
    few[0, ::9, 0] = 3.0 + 0.5 * np.array([-1, 1, -1, 1])
    many[0, :, 0] = 3.0 + 0.5 * np.tile([-1, 1], 14)

    short = estimate_baseline(few, np.zeros(1, np.int32), profile)
    long = estimate_baseline(many, np.zeros(1, np.int32), profile)

    assert 0 < short.center[0, 0] < long.center[0, 0] < 3.0
    assert 0.5 < long.scale[0, 0] < short.scale[0, 0]


def test_a_constant_score_has_a_spread_from_the_cohort() -> None:
    baseline = estimate_baseline(np.full((1, 28, 1), 0.7), np.zeros(1, np.int32), default_profile(1))

    assert 0.1 < baseline.scale[0, 0] < 1.0
    z = standardise(np.array([[0.7]]), np.zeros(1, np.int32), baseline, np.ones(1))
    assert abs(z[0, 0]) < 1.0


def test_one_extreme_outlier_moves_a_baseline_little() -> None:
    values = np.random.default_rng(1).standard_normal((1, 28, 1))
    wild = values.copy()
    wild[0, 5, 0] = 1e6
    usual, spoilt = (estimate_baseline(v, np.zeros(1, np.int32), default_profile(1)) for v in (values, wild))

    assert spoilt.center[0, 0] == pytest.approx(usual.center[0, 0], abs=0.3)
    assert spoilt.scale[0, 0] < 1.6 * usual.scale[0, 0]
    assert standardise(np.array([[1e6]]), np.zeros(1, np.int32), usual, np.ones(1))[0, 0] == 3.0


def test_a_new_baseline_carries_the_spread_of_the_old_one() -> None:
    restless = 3.0 * np.random.default_rng(2).standard_normal((1, 40, 1)).clip(-1, 1)

    carried = carry(default_profile(1), restless)

    assert carried.variance[0, 0] > cohort_only(default_profile(1), 1).variance[0, 0]
    assert carried.df[0, 0] > cohort_only(default_profile(1), 1).df[0, 0]
