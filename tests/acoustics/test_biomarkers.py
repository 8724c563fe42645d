from __future__ import annotations

import csv
import math
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from affect_pipeline.acoustics.biomarkers import Biomarkers, pause_statistics
from affect_pipeline.acoustics.measure import measure_audio
from affect_pipeline.acoustics.pitch import track_pitch
from affect_pipeline.acoustics.vad import RATE_HZ
from affect_pipeline.journals.decode import DecodedAudio, decode
from tests.audio import Voice, speech


def biomarkers(samples: np.ndarray, rate_hz: int = RATE_HZ) -> Biomarkers:
    return measure_audio(DecodedAudio(samples.astype(np.float32), rate_hz, 1, "wav")).biomarkers


@pytest.mark.parametrize("f0_hz", [80.0, 120.0, 180.0, 240.0, 320.0])
def test_the_pitch_of_a_voice_is_found_without_octave_errors(f0_hz: float) -> None:
    measured = biomarkers(speech(Voice(f0_hz=f0_hz, f0_sd_st=1.5)))
    assert 12 * np.log2(measured.f0_median_hz / f0_hz) == pytest.approx(0, abs=0.7)


@pytest.mark.parametrize("f0_sd_st", [0.3, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("f0_hz", [110.0, 210.0])
def test_the_variability_of_a_melody_is_found(f0_hz: float, f0_sd_st: float) -> None:
    measured = biomarkers(speech(Voice(duration_s=10.0, f0_hz=f0_hz, f0_sd_st=f0_sd_st)))
    assert measured.f0_sd_st == pytest.approx(f0_sd_st, rel=0.12, abs=0.1)


@pytest.mark.parametrize("snr_db", [12.0, 20.0])
def test_noise_that_passes_the_contract_does_not_change_the_melody(snr_db: float) -> None:
    measured = biomarkers(speech(Voice(duration_s=10.0, f0_sd_st=2.0, snr_db=snr_db)))
    assert measured.f0_sd_st == pytest.approx(2.0, abs=0.25)


@pytest.mark.parametrize("syllables_per_s", [3.0, 4.0, 5.0, 6.0])
def test_syllables_are_counted(syllables_per_s: float) -> None:
    measured = biomarkers(speech(Voice(duration_s=10.0, syllables_per_s=syllables_per_s)))
    assert measured.speech_rate_hz == pytest.approx(syllables_per_s, rel=0.06)


def test_pauses_do_not_slow_the_speech_rate() -> None:
    paused = biomarkers(speech(Voice(duration_s=12.0, pauses=((3.0, 1.5), (7.0, 1.5)), snr_db=40.0)))
    assert paused.speech_rate_hz == pytest.approx(4.0, rel=0.12)
    assert paused.pause_mean_s == pytest.approx(1.5, abs=0.2)


def test_pauses_are_counted_between_first_and_last_speech() -> None:
    second = RATE_HZ
    segments = np.array([[5 * second, 10 * second], [11 * second, 15 * second], [int(15.2 * second), 35 * second]])
    assert pause_statistics(segments) == (pytest.approx(2.0), pytest.approx(1.0))
    rate, mean = pause_statistics(segments[:1])
    assert rate == 0.0
    assert math.isnan(mean)


def test_gain_changes_only_the_mean_energy() -> None:
    voice = speech(Voice(duration_s=8.0, pauses=((3.0, 0.6),)))
    plain, quiet = asdict(biomarkers(voice)), asdict(biomarkers(voice * 0.1))
    assert quiet.pop("energy_mean_db") - plain.pop("energy_mean_db") == pytest.approx(-20, abs=0.2)
    assert quiet == pytest.approx(plain, rel=0.05)


def test_a_phone_call_keeps_pitch_rate_and_slope() -> None:
    import soxr

    voice = speech(Voice(duration_s=10.0, f0_sd_st=2.0, snr_db=40.0))
    narrow = soxr.resample(voice, RATE_HZ, 8_000)
    plain, phone = biomarkers(voice), biomarkers(narrow, 8_000)
    assert phone.f0_sd_st == pytest.approx(plain.f0_sd_st, abs=0.15)
    assert phone.speech_rate_hz == pytest.approx(plain.speech_rate_hz, rel=0.05)
    assert phone.spectral_slope_db_per_octave == pytest.approx(plain.spectral_slope_db_per_octave, abs=1.0)


def test_a_monotone_gets_steeper_when_its_treble_is_taken_away() -> None:
    from scipy.signal import lfilter

    voice = speech(Voice(duration_s=6.0))
    dull = lfilter([0.2], [1.0, -0.8], voice)
    bright, muffled = biomarkers(voice), biomarkers(dull)
    assert muffled.spectral_slope_db_per_octave < bright.spectral_slope_db_per_octave - 2
    assert muffled.spectral_centroid_hz < bright.spectral_centroid_hz


def test_noise_is_flat_and_a_voice_is_not() -> None:
    clean, noisy = biomarkers(speech(Voice())), biomarkers(speech(Voice(snr_db=3.0)))
    assert 0 < clean.spectral_flatness < noisy.spectral_flatness < 1


@pytest.mark.parametrize("samples", [np.zeros(RATE_HZ), np.zeros(1), np.random.default_rng(0).normal(0, 0.1, RATE_HZ)])
def test_without_speech_nothing_is_claimed(samples: np.ndarray) -> None:
    assert all(math.isnan(value) for value in asdict(biomarkers(samples)).values())


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
    pitch = track_pitch(noise, np.arange(512, noise.size - 512, 160))
    assert pitch.is_voiced.mean() < 0.05


def test_measuring_twice_gives_the_same_bits() -> None:
    voice = DecodedAudio(speech(Voice(duration_s=4.0), 44_100), 44_100, 1, "wav")
    first, second = measure_audio(voice), measure_audio(voice)
    assert (first.quality, first.biomarkers) == (second.quality, second.biomarkers)
    assert first.prepared.tobytes() == second.prepared.tobytes()


@pytest.mark.corpus
@pytest.mark.skipif("AFFECT_CORPORA" not in os.environ, reason="AFFECT_CORPORA names no folder of recordings")
def test_real_women_and_men_and_real_sadness_sound_as_they_should() -> None:
    root = Path(os.environ["AFFECT_CORPORA"]) / "ravdess"
    with (root / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in ("sad", "happy", "neutral")][::6]
    measured = [(row, measure_audio(decode(root / row["path"])).biomarkers) for row in rows]

    def median(name: str, **wanted: object) -> float:
        values = [
            getattr(found, name)
            for row, found in measured
            if wanted.get("label", row["label"]) == row["label"]
            and wanted.get("is_man", int(row["speaker"][-2:]) % 2) == int(row["speaker"][-2:]) % 2
        ]
        return float(np.nanmedian(values))

    assert 80 < median("f0_median_hz", is_man=1, label="neutral") < 155
    assert 160 < median("f0_median_hz", is_man=0, label="neutral") < 260
    assert median("f0_sd_st", label="happy") > median("f0_sd_st", label="sad")
    assert median("energy_mean_db", label="happy") > median("energy_mean_db", label="sad")
    assert 2 < median("speech_rate_hz") < 6
