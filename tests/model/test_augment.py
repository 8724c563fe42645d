"""Augmentation is a function of its seed and keeps the length."""

from __future__ import annotations

import numpy as np
import pytest

from affect_pipeline.model.augment import (
    AugmentPlan,
    augment,
    change_speed,
    coloured_noise,
    mix,
    reverberate,
    telephone,
)
from tests.audio import Voice, speech

VOICE = speech(Voice(duration_s=1.5))
ALWAYS = AugmentPlan(noise=1.0, reverberation=1.0, channel=1.0, telephone=1.0, clip=1.0)


def test_the_same_seed_gives_the_same_audio_and_another_seed_another():
    first, again, other = (augment(VOICE, np.random.default_rng(seed), ALWAYS) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(5))
def test_the_length_stays_and_samples_are_finite(seed: int):
    out = augment(VOICE, np.random.default_rng(seed), ALWAYS, other=VOICE[::-1])
    assert out.shape == VOICE.shape
    assert np.isfinite(out).all()


def test_noise_is_mixed_at_the_ratio_that_was_asked_for():
    noise = coloured_noise(VOICE.size, np.random.default_rng(0))
    added = mix(VOICE, noise, 10.0) - VOICE
    assert 10 * np.log10(np.mean(VOICE**2) / np.mean(added**2)) == pytest.approx(10.0, abs=0.1)


def test_speed_shortens_by_its_factor():
    assert change_speed(VOICE, 1.2).size == int(VOICE.size / 1.2)


def test_a_room_keeps_ringing_after_the_voice():
    click = np.zeros(16_000, np.float32)
    click[100] = 1.0
    out = reverberate(click, np.random.default_rng(0), decay_s=0.4)
    assert np.sum(out[200:] ** 2) > 0.01


def test_a_telephone_passes_nothing_above_its_band():
    out = telephone(np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32))
    power = np.abs(np.fft.rfft(out)) ** 2
    hz = np.fft.rfftfreq(out.size, 1 / 16_000)
    assert power[hz > 4500].mean() < 0.02 * power[(hz > 400) & (hz < 3000)].mean()
