from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline.simulate.moods import (
    FULL_SAD_SHARE,
    RAMP_DAYS,
    Mood,
    daily_leans,
    natural_mix,
    sad_share,
    shifted_mix,
)

moods = st.sets(st.sampled_from(Mood), min_size=1)


@given(moods, st.floats(-4, 4), st.floats(0, 1))
def test_the_shares_of_a_mix_sum_to_one_whatever_is_available(have: set[Mood], lean: float, share: float) -> None:
    mix = natural_mix(have | {Mood.SAD}, lean)
    assert sum(mix.shares) == pytest.approx(1)
    shifted = shifted_mix(mix, share)
    assert sum(shifted.shares) == pytest.approx(1)
    assert shifted.share(Mood.SAD) >= max(mix.share(Mood.SAD), share) - 1e-9


def test_a_well_patient_sounds_mostly_neutral_or_calm() -> None:
    mix = natural_mix(Mood)
    assert mix.share(Mood.NEUTRAL) + mix.share(Mood.CALM) == pytest.approx(0.7)
    assert mix.share(Mood.SAD) < 0.1


def test_a_low_day_has_more_sad_and_less_happy_speech() -> None:
    low, high = natural_mix(Mood, lean=2), natural_mix(Mood, lean=-2)
    assert low.share(Mood.SAD) > high.share(Mood.SAD)
    assert low.share(Mood.HAPPY) < high.share(Mood.HAPPY)


def test_an_onset_grows_for_two_weeks_and_stays() -> None:
    shares = [sad_share(day, onset_day=30) for day in range(60)]
    assert shares[:30] == [0.0] * 30
    assert all(np.diff(shares[29 : 30 + RAMP_DAYS]) > 0)
    assert shares[30 + RAMP_DAYS - 1 :] == [FULL_SAD_SHARE] * (60 - 30 - RAMP_DAYS + 1)


def test_nobody_without_an_onset_changes() -> None:
    assert {sad_share(day, None) for day in range(100)} == {0.0}


def test_a_speaker_without_sad_recordings_cannot_change() -> None:
    with pytest.raises(ValueError, match="without sad recordings"):
        shifted_mix(natural_mix({Mood.NEUTRAL}), 0.1)


def test_days_lean_on_the_day_before() -> None:
    leans = daily_leans(20_000, np.random.default_rng(0))
    assert leans.std() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(leans[1:], leans[:-1])[0, 1] == pytest.approx(0.3, abs=0.03)
