"""How a voice sounds, in measures a clinician can read: pitch, rate, pauses, energy, timbre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from affect_pipeline.acoustics.compiled import import_librosa
from affect_pipeline.acoustics.pitch import Pitch, track_pitch
from affect_pipeline.acoustics.spectra import BIN_HZ, BLOCK_FRAMES, HOP, HOP_S, WINDOW, Samples, Spectra, decibels
from affect_pipeline.acoustics.vad import RATE_HZ, Segments

Floats = npt.NDArray[np.float64]

SHORTEST_PAUSE_S = 0.25
SYLLABLE_BAND_HZ = (250.0, 4_000.0)
SYLLABLE_SMOOTHING_S = 0.025
SYLLABLE_DIP_DB = 2.0
SYLLABLE_RANGE_DB = 25.0
ENERGY_RANGE_DB = 40.0
SLOPE_BAND_HZ = (200.0, 3_800.0)
"""Inside the band of a phone call, so that a changed device changes the slope least."""

MIN_VOICED_FRAMES = 20


@dataclass(frozen=True)
class Biomarkers:
    """Twelve measures of a recording; NaN where there is too little speech to say.

    Parameters
    ----------
    f0_median_hz : float
        Median pitch.
    f0_range_st : float
        5th to 95th percentile of pitch, in semitones.
    f0_sd_st : float
        Standard deviation of pitch, in semitones. Low is monotonous.
    voiced_ratio : float
        Share of the speech that is voiced.
    speech_rate_hz : float
        Syllable nuclei for each second of speech, pauses left out.
    pause_rate_per_min : float
        Pauses of at least 0.25 s, for each minute from first to last speech.
    pause_mean_s : float
        Mean length of these pauses; NaN if there is none.
    energy_mean_db, energy_sd_db : float
        Mean and standard deviation of the level of speech, in dBFS and dB.
    spectral_slope_db_per_octave : float
        Tilt of the long-term spectrum of voiced speech between 200 and 3,800 Hz.
    spectral_centroid_hz : float
        Mean spectral centroid of speech.
    spectral_flatness : float
        Mean spectral flatness of speech; 0 is a tone, 1 is white noise.
    """

    f0_median_hz: float
    f0_range_st: float
    f0_sd_st: float
    voiced_ratio: float
    speech_rate_hz: float
    pause_rate_per_min: float
    pause_mean_s: float
    energy_mean_db: float
    energy_sd_db: float
    spectral_slope_db_per_octave: float
    spectral_centroid_hz: float
    spectral_flatness: float


UNDEFINED = Biomarkers(*(math.nan,) * 12)
"""What is known of a recording in which nobody speaks."""


def measure_biomarkers(audio: Samples, spectra: Spectra) -> Biomarkers:
    """Measure the voice in a recording.

    Parameters
    ----------
    audio : ndarray of float32, shape (n,)
        Mono audio at 16 kHz.
    spectra : Spectra
        Its spectra and speech segments.

    Returns
    -------
    Biomarkers
    """
    speech = np.flatnonzero(spectra.is_speech)
    if not speech.size:
        return UNDEFINED
    pitch = track_pitch(audio, speech * HOP + WINDOW // 2)
    f0_median_hz, f0_range_st, f0_sd_st = _pitch_statistics(pitch)
    pause_rate_per_min, pause_mean_s = pause_statistics(spectra.segments)
    energy_mean_db, energy_sd_db = _energy_statistics(decibels(spectra.frame_power[speech]))
    centroid_hz, flatness = _timbre(spectra.power[speech])
    return Biomarkers(
        f0_median_hz=f0_median_hz,
        f0_range_st=f0_range_st,
        f0_sd_st=f0_sd_st,
        voiced_ratio=float(pitch.is_voiced.mean()),
        speech_rate_hz=syllable_nuclei(spectra, speech[pitch.is_voiced]).size / spectra.speech_s,
        pause_rate_per_min=pause_rate_per_min,
        pause_mean_s=pause_mean_s,
        energy_mean_db=energy_mean_db,
        energy_sd_db=energy_sd_db,
        spectral_slope_db_per_octave=_slope(spectra.power[speech[pitch.is_voiced]]),
        spectral_centroid_hz=centroid_hz,
        spectral_flatness=flatness,
    )


def syllable_nuclei(spectra: Spectra, voiced_frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Find the syllable nuclei: voiced peaks of intensity between dips of at least 2 dB.

    Parameters
    ----------
    spectra : Spectra
        Spectra of the recording.
    voiced_frames : ndarray of int64, shape (n_voiced,)
        Frames with voiced speech.

    Returns
    -------
    ndarray of int64, shape (n_nuclei,)
        Frames at which syllables have their nucleus.

    References
    ----------
    de Jong, N. H., & Wempe, T. (2009). Praat script to detect syllable nuclei and measure speech rate
    automatically. Behavior Research Methods 41(2). Intensity is taken between 250 and 4,000 Hz, where
    vowels are, so that fricatives and plosives do not count.
    """
    power = gaussian_filter1d(spectra.band_power(*SYLLABLE_BAND_HZ), SYLLABLE_SMOOTHING_S / HOP_S)
    intensity_db = decibels(power)
    loudest_db = np.quantile(intensity_db[spectra.is_speech], 0.99)
    peaks, _ = find_peaks(intensity_db, height=loudest_db - SYLLABLE_RANGE_DB, prominence=SYLLABLE_DIP_DB)
    voiced = np.zeros(intensity_db.size, bool)
    voiced[voiced_frames] = True
    nuclei: npt.NDArray[np.int64] = peaks[voiced[peaks]]
    return nuclei


def pause_statistics(segments: Segments) -> tuple[float, float]:
    """Return pauses a minute, and their mean length in seconds.

    Parameters
    ----------
    segments : ndarray of int64, shape (n_segments, 2)
        Speech in samples at 16 kHz; what lies before the first and after the last is no pause.

    Returns
    -------
    tuple of float
        ``(pause_rate_per_min, pause_mean_s)``; the mean is NaN where there is no pause.

    References
    ----------
    The shortest pause is 0.25 s, as in Goldman-Eisler, F. (1968), Psycholinguistics, and de Jong,
    N. H., & Bosker, H. R. (2013), Choosing a threshold for silent pauses to measure second language
    fluency.
    """
    if not len(segments):
        return math.nan, math.nan
    gaps_s = (segments[1:, 0] - segments[:-1, 1]) / RATE_HZ
    pauses_s = gaps_s[gaps_s >= SHORTEST_PAUSE_S]
    span_min = (segments[-1, 1] - segments[0, 0]) / RATE_HZ / 60
    return float(pauses_s.size / span_min), float(pauses_s.mean()) if pauses_s.size else math.nan


def _pitch_statistics(pitch: Pitch) -> tuple[float, float, float]:
    f0_hz = pitch.f0_hz[pitch.is_voiced]
    if f0_hz.size < MIN_VOICED_FRAMES:
        return math.nan, math.nan, math.nan
    median_hz = float(np.median(f0_hz))
    semitones = 12 * np.log2(f0_hz / median_hz)
    low, high = np.quantile(semitones, [0.05, 0.95])
    return median_hz, float(high - low), float(semitones.std())


def _energy_statistics(level_db: Floats) -> tuple[float, float]:
    """Return mean and SD, with frames far under the loud ones counted at -40 dB from them.

    Short gaps inside speech would otherwise be measured as the noise floor of the device.
    """
    floored = np.maximum(level_db, np.quantile(level_db, 0.95) - ENERGY_RANGE_DB)
    return float(floored.mean()), float(floored.std())


def _timbre(power: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return mean spectral centroid (Hz) and mean flatness of frames, some frames at a time."""
    feature = import_librosa().feature
    frequencies = np.arange(power.shape[1]) * BIN_HZ
    centroid = flatness = 0.0
    for first in range(0, len(power), BLOCK_FRAMES):
        block = power[first : first + BLOCK_FRAMES].T
        centroid += feature.spectral_centroid(S=np.sqrt(block), sr=RATE_HZ, freq=frequencies).sum(dtype=np.float64)
        flatness += feature.spectral_flatness(S=block, power=1.0, amin=1e-16).sum(dtype=np.float64)
    return float(centroid / len(power)), float(flatness / len(power))


def _slope(power: npt.NDArray[np.float32]) -> float:
    """Fit a line to the third-octave levels of the mean spectrum."""
    if len(power) < MIN_VOICED_FRAMES:
        return math.nan
    mean = power.mean(axis=0, dtype=np.float64)
    low, high = SLOPE_BAND_HZ
    edges = low * 2 ** (np.arange(int(3 * math.log2(high / low)) + 1) / 3)
    bins = np.arange(mean.size) * BIN_HZ
    levels = [decibels(mean[(bins >= a) & (bins < b)].mean()) for a, b in pairwise(edges)]
    centres = np.log2(np.sqrt(edges[:-1] * edges[1:]))
    return float(np.polyfit(centres, np.array(levels), 1)[0])
