"""A temperature makes probabilities honest, and the calibration error says so."""

from __future__ import annotations

import numpy as np
import pytest

from affect_pipeline.model.calibration import fit_calibration, reliability, sigmoid


def test_the_temperature_of_overconfident_logits_is_found():
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, 20_000)
    truth = (rng.random(honest.size) < sigmoid(honest)).astype(float)
    found = fit_calibration(3.0 * honest, truth)
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert found.ece_after < 0.03 < found.ece_before


def test_unknown_truth_and_missing_logits_do_not_count():
    logits = np.array([-2.0, -1.0, 1.0, 2.0, np.nan, 9.0])
    truth = np.array([0.0, 1.0, 0.0, 1.0, 1.0, np.nan])
    assert fit_calibration(logits, truth) == fit_calibration(logits[:4], truth[:4])


def test_one_class_alone_leaves_the_temperature_at_one():
    assert fit_calibration(np.array([1.0, 2.0]), np.array([1.0, 1.0])).temperature == 1.0


def test_a_forecast_that_is_always_right_has_no_error():
    error, bins = reliability(np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), np.ones(3))
    assert error == 0.0
    assert sum(bin_.n for bin_ in bins) == 3
