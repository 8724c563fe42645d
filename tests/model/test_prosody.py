"""Prosody hears what the synthesiser said."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from affect_pipeline.model.pooling import unit_power
from affect_pipeline.model.prosody import FRAME_NAMES, Prosody, summary_names
from tests.audio import Voice, speech


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
