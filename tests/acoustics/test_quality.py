from __future__ import annotations

import math

import numpy as np
import pytest
import soxr

from affect_pipeline.acoustics.loudness import integrated_loudness_lufs
from affect_pipeline.acoustics.measure import measure_audio
from affect_pipeline.acoustics.quality import AudioQuality, bandwidth_hz, clipping_ratio
from affect_pipeline.journals.decode import DecodedAudio
from tests.audio import Voice, speech

PAUSES = ((0.0, 0.8), (3.0, 1.0), (6.5, 0.7), (9.2, 0.8))
PAUSED = Voice(duration_s=10.0, pauses=PAUSES)


def quality(samples: np.ndarray, rate_hz: int = 16_000) -> AudioQuality:
    return measure_audio(DecodedAudio(samples.astype(np.float32), rate_hz, 1, "wav")).quality


def tone(level_db: float, rate_hz: int = 48_000, duration_s: float = 5.0, f0_hz: float = 997.0) -> np.ndarray:
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * f0_hz * time_s)).astype(np.float32)


def test_speech_seconds_ratio_and_silence_add_up() -> None:
    measured = quality(speech(PAUSED))
    assert measured.duration_s == pytest.approx(10.0)
    assert measured.speech_s == pytest.approx(6.7, abs=0.4)
    assert measured.speech_ratio == pytest.approx(measured.speech_s / 10.0)
    assert measured.speech_ratio + measured.silence_ratio == pytest.approx(1.0)


@pytest.mark.parametrize("snr_db", [0.0, 6.0, 12.0, 18.0, 30.0])
def test_a_known_signal_to_noise_ratio_is_found(snr_db: float) -> None:
    samples = speech(Voice(duration_s=10.0, pauses=PAUSES, snr_db=snr_db))
    assert quality(samples).snr_db == pytest.approx(snr_db, abs=1.0)


def test_a_bang_between_words_does_not_count_as_noise() -> None:
    samples = speech(Voice(duration_s=10.0, pauses=PAUSES, snr_db=30.0))
    samples[8_000:8_400] += 0.5
    assert quality(samples).snr_db == pytest.approx(30.0, abs=2.0)


def test_unbroken_speech_has_a_ratio_too() -> None:
    ratios = [quality(speech(Voice(duration_s=8.0, snr_db=snr_db))).snr_db for snr_db in (0.0, 6.0, 12.0)]
    assert ratios == sorted(ratios)
    assert ratios == pytest.approx([0.0, 6.0, 12.0], abs=4.0)


@pytest.mark.parametrize("gain_db", [-30.0, 0.0, 6.0])
def test_gain_moves_the_level_and_nothing_else(gain_db: float) -> None:
    plain, louder = quality(speech(PAUSED)), quality(speech(PAUSED) * 10 ** (gain_db / 20))
    assert louder.level_dbfs - plain.level_dbfs == pytest.approx(gain_db, abs=0.2)
    assert louder.loudness_lufs - plain.loudness_lufs == pytest.approx(gain_db, abs=0.2)
    assert louder.snr_db == pytest.approx(plain.snr_db, abs=0.5)
    assert louder.silence_ratio == pytest.approx(plain.silence_ratio, abs=0.02)


def test_the_level_of_the_speech_is_found() -> None:
    assert quality(speech(Voice(duration_s=10.0, pauses=PAUSES, level_dbfs=-31.0))).level_dbfs == pytest.approx(
        -31, abs=0.7
    )


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("level_db", [-18.0, -30.0])
def test_loudness_of_the_reference_tone_is_what_the_standard_says(rate_hz: int, level_db: float) -> None:
    # BS.1770: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LUFS.
    assert integrated_loudness_lufs(tone(level_db, rate_hz), rate_hz) == pytest.approx(level_db - 3.01, abs=0.1)


def test_loudness_leaves_out_the_quiet_parts() -> None:
    half_silent = np.concatenate([tone(-20.0), tone(-60.0)])
    assert integrated_loudness_lufs(half_silent, 48_000) == pytest.approx(-23.0, abs=0.2)
    assert math.isnan(integrated_loudness_lufs(np.zeros(48_000, np.float32), 48_000))
    assert math.isnan(integrated_loudness_lufs(tone(-20.0)[:1000], 48_000))


@pytest.mark.parametrize("gain", [1.0, 0.5], ids=["at full scale", "turned down afterwards"])
@pytest.mark.parametrize("share", [0.005, 0.03, 0.1])
def test_a_known_share_of_clipped_samples_is_found(share: float, gain: float) -> None:
    samples = speech(Voice(duration_s=5.0))
    ceiling = float(np.quantile(np.abs(samples), 1 - share))
    clipped = np.clip(samples / ceiling, -1, 1) * gain
    assert clipping_ratio(clipped.astype(np.float32)) == pytest.approx(share, rel=0.15, abs=0.002)


@pytest.mark.parametrize("samples", [speech(), tone(-6.0, f0_hz=100.0), np.zeros(1000, np.float32), tone(-6)[:7]])
def test_what_was_not_clipped_is_not_called_so(samples: np.ndarray) -> None:
    assert clipping_ratio(samples) == 0.0


@pytest.mark.parametrize(
    ("true_rate_hz", "rate_hz"), [(8_000, 48_000), (8_000, 16_000), (16_000, 48_000), (16_000, 44_100)]
)
def test_a_narrow_recording_in_a_wide_file_is_found_out(true_rate_hz: int, rate_hz: int) -> None:
    narrow = soxr.resample(speech(Voice(snr_db=40.0)), 16_000, true_rate_hz)
    wide = np.rint(soxr.resample(narrow, true_rate_hz, rate_hz) * 32767) / 32767
    measured = bandwidth_hz(wide.astype(np.float32), rate_hz)
    assert 0.9 * true_rate_hz / 2 <= measured <= 1.1 * true_rate_hz / 2


def test_a_wide_recording_keeps_its_bandwidth() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 48_000).astype(np.float32)
    assert bandwidth_hz(noise, 48_000) > 23_000
    assert math.isnan(bandwidth_hz(np.zeros(48_000, np.float32), 48_000))
    assert math.isnan(bandwidth_hz(noise[:100], 48_000))


def test_an_offset_is_found() -> None:
    measured = quality(speech(PAUSED) + 0.05)
    assert measured.dc_offset == pytest.approx(0.05, abs=0.001)
    assert measured.snr_db == pytest.approx(quality(speech(PAUSED)).snr_db, abs=0.5)


@pytest.mark.parametrize("n_samples", [1, 100, 600, 16_000])
def test_recordings_without_speech_have_no_speech_and_no_ratio(n_samples: int) -> None:
    measured = quality(np.full(n_samples, 1e-3))
    assert (measured.speech_s, measured.speech_ratio, measured.silence_ratio) == (0.0, 0.0, 1.0)
    assert math.isnan(measured.snr_db)
    assert measured.duration_s == n_samples / 16_000
