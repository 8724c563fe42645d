from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline.acoustics.preprocessing import normalise, prepare, resample, to_int16, trim
from affect_pipeline.acoustics.vad import RATE_HZ
from tests.audio import Voice, speech


def level_dbfs(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2)))


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_any_rate_becomes_16_khz_with_the_same_sound(rate_hz: int) -> None:
    time_s = np.arange(rate_hz) / rate_hz
    tone = np.sin(2 * np.pi * 1000 * time_s).astype(np.float32)
    resampled = resample(tone, rate_hz)
    expected = np.sin(2 * np.pi * 1000 * np.arange(RATE_HZ) / RATE_HZ)
    assert resampled.dtype == np.float32
    assert resampled.size == RATE_HZ
    assert resampled[500:-500] == pytest.approx(expected[500:-500], abs=1e-3)


@pytest.mark.parametrize("level", [-45.0, -23.0, -12.0])
def test_the_level_is_the_same_for_loud_and_soft_voices(level: float) -> None:
    prepared = prepare(speech(Voice(level_dbfs=level)), RATE_HZ)
    assert level_dbfs(prepared) == pytest.approx(-23.0, abs=0.1)
    assert abs(float(prepared.mean())) < 1e-4


def test_a_peak_is_never_cut() -> None:
    spiky = np.zeros(RATE_HZ, np.float32)
    spiky[100] = 1.0
    assert np.abs(normalise(spiky)).max() <= 0.99 + 1e-6


def test_silence_around_speech_goes_and_long_pauses_become_half_a_second() -> None:
    audio = np.arange(10 * RATE_HZ, dtype=np.float32)
    segments = np.array([[2 * RATE_HZ, 3 * RATE_HZ], [int(3.2 * RATE_HZ), 4 * RATE_HZ], [8 * RATE_HZ, 9 * RATE_HZ]])
    kept = trim(audio, segments)
    # 0.1 s, speech with its short pause, half a second of the long pause, speech, 0.1 s
    assert kept.size == pytest.approx((0.1 + 2.0 + 0.5 + 1.0 + 0.1) * RATE_HZ, abs=2)
    assert kept[0] == 1.9 * RATE_HZ
    assert (np.diff(kept) > 0).all()


@given(st.lists(st.integers(0, 3 * RATE_HZ), min_size=2, max_size=12, unique=True))
def test_trimming_keeps_all_speech_in_order_and_repeats_nothing(edges: list[int]) -> None:
    segments = np.array(sorted(edges)[: len(edges) // 2 * 2]).reshape(-1, 2)
    audio = np.arange(3 * RATE_HZ, dtype=np.float32)
    kept = trim(audio, segments)
    assert (np.diff(kept) > 0).all()
    assert all(np.isin(audio[start:end], kept).all() for start, end in segments)


def test_without_speech_nothing_is_left() -> None:
    assert prepare(np.zeros(RATE_HZ, np.float32), RATE_HZ).size == 0
    assert prepare(np.zeros(0, np.float32), RATE_HZ).size == 0


def test_preparing_twice_gives_the_same_bits() -> None:
    samples = speech(rate_hz=44_100)
    assert prepare(samples, 44_100).tobytes() == prepare(samples, 44_100).tobytes()


def test_sixteen_bits_hold_the_full_range() -> None:
    assert to_int16(np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0], np.float32)).tolist() == [
        -32768,
        -32767,
        0,
        16384,
        32767,
        32767,
    ]
