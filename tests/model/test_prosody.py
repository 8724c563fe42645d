"""Prosody hears what the synthesiser said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from affect_pipeline.model import formants
from affect_pipeline.model.pooling import unit_power
from affect_pipeline.model.prosody import FRAME_NAMES, Prosody, summary_names
from tests.audio import BANDWIDTHS_HZ, RATE_HZ, VOWELS_HZ, Voice, speech


def summaries(voice: Voice) -> dict[str, float]:
    wave = torch.from_numpy(speech(voice))[None]
    lengths = torch.tensor([wave.shape[1]])
    values = Prosody().summaries(unit_power(wave, lengths), lengths)[0]
    return dict(zip(summary_names(), values.tolist(), strict=True))


@pytest.mark.parametrize("f0_hz", [90.0, 130.0, 210.0])
def test_pitch_is_found_within_half_a_semitone(f0_hz: float):
    heard = summaries(Voice(f0_hz=f0_hz, f0_sd_st=0.3, duration_s=3.0))
    assert heard["f0_st_q50"] == pytest.approx(12 * np.log2(f0_hz / 100), abs=0.5)


def test_a_livelier_melody_has_a_larger_spread():
    flat, lively = (summaries(Voice(f0_sd_st=sd, duration_s=4.0)) for sd in (0.5, 4.0))
    assert lively["f0_st_sd"] > 2 * flat["f0_st_sd"]


def test_more_syllables_give_more_peaks_of_energy():
    slow, fast = (summaries(Voice(syllables_per_s=rate, duration_s=4.0)) for rate in (2.0, 6.0))
    assert fast["energy_peaks_per_s"] > slow["energy_peaks_per_s"]


def test_padding_does_not_change_the_summaries():
    wave = torch.from_numpy(speech(Voice(duration_s=2.0)))[None]
    lengths = torch.tensor([wave.shape[1]])
    padded = torch.nn.functional.pad(wave, (0, 9_000))
    prosody = Prosody()
    expected = prosody.summaries(unit_power(wave, lengths), lengths)
    torch.testing.assert_close(prosody.summaries(unit_power(padded, lengths), lengths), expected, atol=1e-3, rtol=1e-3)


def test_noise_has_no_voice_and_still_finite_summaries():
    noise = torch.randn(1, 32_000, generator=torch.Generator().manual_seed(0))
    values = dict(zip(summary_names(), Prosody().summaries(noise, torch.tensor([32_000]))[0].tolist(), strict=True))
    assert values["voiced_share"] < 0.1
    assert np.isfinite(list(values.values())).all()


def test_every_column_has_a_name():
    assert Prosody().frames(torch.randn(2, 16_000)).shape[-1] == len(FRAME_NAMES)
    assert Prosody().summaries(torch.randn(2, 16_000), torch.tensor([16_000, 8_000])).shape == (2, len(summary_names()))


def vowel(resonances_hz: tuple[int, ...], f0_hz: float = 100.0, duration_s: float = 1.0) -> torch.Tensor:
    """Return pulses at a steady pitch through resonators, (1, T)."""
    sound = np.zeros(int(duration_s * RATE_HZ))
    sound[:: int(RATE_HZ / f0_hz)] = 1.0
    for hz, width_hz in zip((*resonances_hz, 3500), (*BANDWIDTHS_HZ, 250), strict=True):
        radius = np.exp(-np.pi * width_hz / RATE_HZ)
        sound = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * hz / RATE_HZ), radius**2], sound)
    return torch.from_numpy(sound.astype(np.float32))[None]


def named(waves: torch.Tensor, n_samples: int) -> dict[str, float]:
    lengths = torch.tensor([n_samples])
    values = Prosody().summaries(unit_power(waves, lengths), lengths)[0]
    return dict(zip(summary_names(), values.tolist(), strict=True))


@pytest.mark.parametrize("resonances_hz", [VOWELS_HZ[0], VOWELS_HZ[3], (500, 1500, 2500)])
def test_the_formants_of_a_vowel_are_found_within_a_tenth(resonances_hz: tuple[int, ...]):
    heard = named(vowel(resonances_hz), RATE_HZ)
    for number, hz in enumerate(resonances_hz, 1):
        assert 2 ** heard[f"formant_oct_{number}_mean"] == pytest.approx(hz, rel=0.1), f"formant {number}"
        assert heard[f"formant_oct_{number}_sd"] < 0.2


def test_the_first_formant_of_a_close_vowel_is_heard_too_high_but_lowest_and_the_others_right():
    # With a harmonic every 100 Hz, linear prediction draws a resonance at 270 Hz towards 350.
    heard, open_vowel = named(vowel(VOWELS_HZ[1]), RATE_HZ), named(vowel(VOWELS_HZ[3]), RATE_HZ)
    for number in (2, 3):
        assert 2 ** heard[f"formant_oct_{number}_mean"] == pytest.approx(VOWELS_HZ[1][number - 1], rel=0.1)
    assert 270 < 2 ** heard["formant_oct_1_mean"] < 2 ** open_vowel["formant_oct_1_mean"] - 100


def test_without_a_voiced_frame_formants_are_zero_and_finite():
    noise = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(1))
    for waves in (noise, torch.zeros(1, 16_000)):
        heard = {name: value for name, value in named(waves, 16_000).items() if name.startswith(("formant", "band"))}
        assert len(heard) == 2 * len(formants.NAMES)
        assert all(np.isfinite(value) for value in heard.values())
        assert all(abs(value) < 1e-3 for value in heard.values())


def test_padding_does_not_change_the_formants():
    waves = vowel(VOWELS_HZ[0])
    expected, padded = named(waves, RATE_HZ), named(torch.nn.functional.pad(waves, (0, 7_000)), RATE_HZ)
    for name in (n for n in expected if n.startswith(("formant", "bandwidth"))):
        assert padded[name] == pytest.approx(expected[name], abs=1e-2), name
