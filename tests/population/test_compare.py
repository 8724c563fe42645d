"""How often a steady cohort is said to have shifted, and how small a shift is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, ks_2samp

from affect_pipeline.population.compare import (
    LARGEST_EFFECT,
    Comparison,
    Paired,
    Rules,
    compare,
    holm_threshold,
    paired_p_value,
)
from tests.population.cohort import Floats, days_of_patients

RULES = Rules()
N_NIGHTS, N_MEASURES, N_PATIENTS = 600, 20, 14


def paired(values: Floats, measure: str = "energy_mean_db") -> Paired:
    """Summarise values of shape (patients, days) as the warehouse does."""
    reference, current = values[:, : RULES.reference_days], values[:, RULES.reference_days :]
    differences = current.mean(axis=1) - reference.mean(axis=1)
    return Paired(
        "all",
        "everybody",
        measure,
        len(values),
        len(values),
        float(reference.mean()),
        float(current.mean()),
        float(differences.std(ddof=1)),
        float(np.sqrt(reference.var(axis=1, ddof=1).mean())),
    )


def night(rng: np.random.Generator, shift: float = 0.0) -> list[Comparison]:
    values = days_of_patients(rng, (N_MEASURES, N_PATIENTS, RULES.current_days + RULES.reference_days))
    values[0, :, RULES.reference_days :] += shift
    return compare([paired(each, f"measure {number}") for number, each in enumerate(values)], RULES)


def test_a_steady_cohort_is_said_to_have_shifted_in_no_more_nights_than_stated() -> None:
    rng = np.random.default_rng(1)

    n_alarms = sum(any(one.state == "shifted" for one in night(rng)) for _ in range(N_NIGHTS))

    assert n_alarms <= binom.ppf(0.999, N_NIGHTS, RULES.alpha)


def test_counting_recordings_as_if_they_were_patients_would_alarm_in_most_nights() -> None:
    rng = np.random.default_rng(2)
    naive = []
    for _ in range(40):
        values = days_of_patients(rng, (N_MEASURES, N_PATIENTS, RULES.current_days + RULES.reference_days), carry=0.9)
        p_values = [
            ks_2samp(each[:, RULES.reference_days :].ravel(), each[:, : RULES.reference_days].ravel()).pvalue
            for each in values
        ]
        naive.append(min(p_values) <= RULES.alpha / N_MEASURES)

    assert np.mean(naive) > 20 * RULES.alpha


def test_a_shift_of_a_whole_cohort_by_one_standard_deviation_is_found_nearly_always() -> None:
    rng = np.random.default_rng(3)

    found = [{one.paired.measure for one in night(rng, shift=1.5) if one.state == "shifted"} for _ in range(100)]

    assert np.mean(["measure 0" in measures for measures in found]) > 0.9


def test_a_shift_that_is_certain_but_small_is_not_told() -> None:
    rng = np.random.default_rng(4)
    values = days_of_patients(rng, (20_000, 35))
    values[:, 28:] += 0.1

    (one,) = compare([paired(values)], RULES)

    assert one.p_value is not None
    assert one.p_value < 1e-9
    assert one.state == "steady"


def test_too_few_patients_are_a_state_with_a_reason() -> None:
    (one,) = compare([Paired("clinic", "west", "snr_db", 12, 3, 1.0, 2.0, 0.5, 0.5)], RULES)

    assert one.state == "too_little_data"
    assert one.p_value is None
    assert one.reason == ("3 of 12 patients have 2 recordings in these 7 nights and 4 in the 28 before; 10 are needed")


@pytest.mark.parametrize(("mean", "effect", "state"), [(0.0, 0.0, "steady"), (-1.0, -LARGEST_EFFECT, "shifted")])
def test_what_never_varied_is_steady_until_it_changes_for_everybody(mean: float, effect: float, state: str) -> None:
    (one,) = compare([Paired("all", "everybody", "clipping_ratio", 20, 20, 5.0, 5.0 + mean, 0.0, 0.0)], RULES)

    assert (one.effect, one.state) == (effect, state)


def test_holm_rejects_what_its_step_by_step_form_rejects() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        p_values = list(rng.random(12) ** rng.integers(1, 12))
        steps = [p <= 0.05 / (12 - rank) for rank, p in enumerate(sorted(p_values))]
        n_rejected = steps.index(False) if False in steps else 12

        assert sum(p <= holm_threshold(p_values, 0.05) for p in p_values) == n_rejected


def test_the_p_value_is_that_of_a_t_test() -> None:
    assert paired_p_value(0.5, 1.0, 16) == pytest.approx(0.0639, abs=1e-4)
