from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline.model.batching import WindowSpread, combine, cut, plan_windows

RATE = 1_000


@given(st.integers(1, 100 * RATE), st.sampled_from([2.0, 5.0, 7.5, 10.0]))
def test_windows_cover_a_journal_with_a_few_lengths_and_weights_that_sum_to_it(n_samples: int, window_s: float) -> None:
    window, overlap, step = round(window_s * RATE), RATE // 2, RATE
    plan = plan_windows(n_samples, window, overlap, step)
    assert plan[0].start == 0
    assert plan[-1].stop == n_samples
    assert all(right.start <= left.stop - overlap for left, right in itertools.pairwise(plan))
    assert {(window - piece.length) % step for piece in plan} == {0}
    assert all(piece.stop - piece.start <= piece.length <= window for piece in plan)
    assert math.isclose(sum(piece.weight for piece in plan), n_samples)
    if len(plan) > 1:
        assert all(piece.stop - piece.start == piece.length for piece in plan), "nothing is padded"


def test_a_journal_just_over_a_window_is_not_heard_twice() -> None:
    plan = plan_windows(10_100, window=10_000, overlap=500, step=1_000)
    assert [piece.length for piece in plan] == [6_000, 6_000]


def test_shared_samples_count_once() -> None:
    first, second = plan_windows(11, window=8, overlap=1, step=2)
    assert (first.stop, second.start) == (6, 5)
    assert (first.weight, second.weight) == (5.5, 5.5)


def test_a_journal_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="without samples"):
        plan_windows(0, 10, 1, 1)


def test_int16_and_float32_audio_are_cut_to_the_same_samples() -> None:
    audio = np.array([-32768, 16384, 0, 8192, 1], dtype=np.int16)
    window = plan_windows(5, window=8, overlap=1, step=2)[0]
    cut_int, cut_float = cut(audio, window), cut((audio / 32768).astype(np.float32), window)
    assert np.array_equal(cut_int, cut_float)
    assert cut_int.dtype == np.float32
    assert cut_int.tolist() == [-1.0, 0.5, 0.0, 0.25, 1 / 32768, 0.0]


def test_the_mean_is_weighted_by_seconds() -> None:
    mean, _ = combine([0.0, 1.0], [9.0, 3.0], WindowSpread(sd=0.3))
    assert mean == pytest.approx(0.25)


def test_one_window_of_the_reference_length_has_the_usual_spread_as_its_error() -> None:
    assert combine([2.0], [5.0], WindowSpread(sd=0.3, reference_s=5.0))[1] == pytest.approx(0.3)
    assert combine([2.0], [1.25], WindowSpread(sd=0.3, reference_s=5.0))[1] == pytest.approx(0.6)


def test_standard_errors_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    spread = WindowSpread(sd=0.5, reference_s=5.0)
    covered = []
    for _ in range(4_000):
        seconds = rng.uniform(2, 5, rng.integers(1, 9))
        mean, se = combine(rng.normal(0.0, 0.5 * np.sqrt(5.0 / seconds)).tolist(), seconds.tolist(), spread)
        covered.append(abs(mean) < 1.96 * se)
    assert 0.93 < np.mean(covered) < 0.97
