"""How good a recording is, before anybody asks what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import uniform_filter1d
from scipy.signal import get_window

from affect_pipeline.acoustics.loudness import integrated_loudness_lufs
from affect_pipeline.acoustics.spectra import HOP, LOWEST_HZ, WINDOW, Samples, Spectra, decibels
from affect_pipeline.acoustics.vad import RATE_HZ, Segments, speech_mask

Floats = npt.NDArray[np.float64]

MIN_NOISE_S = 0.3
NOISE_GUARD_S = 0.1
NOISE_KEPT = 0.9
NOISE_QUANTILE = 0.1
MAX_NOISE_FRAMES = 6_000
"""A minute of frames, spread over the recording, is enough for a quantile."""

WITHIN_SPEECH_CORRECTION = 1.25
"""Noise under unbroken speech is overestimated. With white and pink noise of 6 to 35 dB added to
recordings of several corpora, cut to their speech, this factor brings the median within 1.5 dB."""
MAX_SNR_DB = 60.0

CLIPPED_AT = 0.985
FLAT_TOP = (0.99, 0.97)
FLAT_TOP_EXCESS = 4.0

BANDWIDTH_FRAMES = 400
BANDWIDTH_RANGE_DB = 72.0
BANDWIDTH_SMOOTHING_HZ = 200.0
SIXTEEN_BIT_FLOOR_DB_PER_HZ = -98.1 - 10 * math.log10(RATE_HZ / 2)


@dataclass(frozen=True)
class AudioQuality:
    """Quality of a recording; NaN where a metric is not defined.

    Parameters
    ----------
    duration_s : float
        Length of the recording.
    speech_s, speech_ratio : float
        Speech found by voice activity detection: seconds, and share of the recording.
    silence_ratio : float
        Share of the recording in which nobody speaks.
    snr_db : float
        Speech against the noise between it, above 60 Hz; at most 60.
    clipping_ratio : float
        Share of samples that are cut off at the top or bottom.
    level_dbfs : float
        RMS of the speech, or of the whole recording if nobody speaks.
    loudness_lufs : float
        Integrated loudness (ITU-R BS.1770).
    bandwidth_hz : float
        Highest frequency that carries signal, whatever the sampling rate promises.
    dc_offset : float
        Mean of the samples, full scale 1.
    sample_rate_hz : float
        Sampling rate of the file.
    n_channels : float
        Channels of the file.
    """

    duration_s: float
    speech_s: float
    speech_ratio: float
    silence_ratio: float
    snr_db: float
    clipping_ratio: float
    level_dbfs: float
    loudness_lufs: float
    bandwidth_hz: float
    dc_offset: float
    sample_rate_hz: float
    n_channels: float


def measure_quality(
    samples: Samples, sample_rate_hz: int, n_channels: int, audio: Samples, spectra: Spectra
) -> AudioQuality:
    """Measure the quality of a recording.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        The recording as it was decoded.
    sample_rate_hz, n_channels : int
        Sampling rate and channels of the file.
    audio : ndarray of float32, shape (m,)
        The same at 16 kHz.
    spectra : Spectra
        Spectra and speech segments of `audio`.

    Returns
    -------
    AudioQuality
    """
    duration_s = samples.size / sample_rate_hz
    speech_ratio = min(spectra.speech_s / duration_s, 1.0)
    return AudioQuality(
        duration_s=duration_s,
        speech_s=spectra.speech_s,
        speech_ratio=speech_ratio,
        silence_ratio=1.0 - speech_ratio,
        snr_db=signal_to_noise_db(spectra),
        clipping_ratio=clipping_ratio(samples),
        level_dbfs=_level_dbfs(spectra),
        loudness_lufs=integrated_loudness_lufs(audio, RATE_HZ),
        bandwidth_hz=bandwidth_hz(samples, sample_rate_hz),
        dc_offset=float(samples.mean(dtype=np.float64)),
        sample_rate_hz=float(sample_rate_hz),
        n_channels=float(n_channels),
    )


def signal_to_noise_db(spectra: Spectra) -> float:
    """Compare the power of speech with that of the noise around it.

    The noise is what is heard at least 0.1 s away from speech, without its loudest tenth (a door, a
    cough), unless the quietest moments of each frequency during speech hold less: then part of the
    speech was missed. With less than 0.3 s around the speech these moments are all there is.

    Parameters
    ----------
    spectra : Spectra
        Spectra and speech segments of the recording.

    Returns
    -------
    float
        Signal-to-noise ratio in dB, between -20 and 60; NaN if nobody speaks.

    References
    ----------
    Stahl, V., Fischer, A., & Bippus, R. (2000). Quantile based noise estimation for spectral
    subtraction and Wiener filtering. ICASSP 2000 (for the second way).
    """
    if not spectra.is_speech.any():
        return math.nan
    speech_power = float(spectra.frame_power[spectra.is_speech].mean())
    if speech_power <= 0:
        return math.nan
    within_db = _ratio_db(speech_power, _noise_during_speech(spectra))
    around = np.sort(spectra.frame_power[~_near_speech(spectra)])
    if around.size * HOP < MIN_NOISE_S * RATE_HZ:
        return min(max(within_db, within_db * WITHIN_SPEECH_CORRECTION), MAX_SNR_DB)
    around_db = _ratio_db(speech_power, float(around[: max(int(around.size * NOISE_KEPT), 1)].mean()))
    return max(around_db, within_db)


def clipping_ratio(samples: Samples) -> float:
    """Return the share of samples that were cut off.

    Cut off is what reaches full scale, and also what piles up under a lower ceiling: a recording
    that was clipped and then turned down. There, the top percent of the range holds at least four
    times as many samples as the two percent beneath it, which no sound does by itself.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        The recording as it was decoded, full scale 1.

    Returns
    -------
    float
        Between 0 and 1.
    """
    magnitude = np.abs(samples)
    peak = float(magnitude.max())
    if peak >= CLIPPED_AT:
        return float(np.count_nonzero(magnitude >= CLIPPED_AT) / samples.size)
    top = int(np.count_nonzero(magnitude >= FLAT_TOP[0] * peak))
    beneath = int(np.count_nonzero(magnitude >= FLAT_TOP[1] * peak)) - top
    piled_up = peak > 0 and top > FLAT_TOP_EXCESS * max(beneath, 4)
    return top / samples.size if piled_up else 0.0


def bandwidth_hz(samples: Samples, sample_rate_hz: int) -> float:
    """Find the highest frequency that carries signal.

    That is where the long-term spectrum, smoothed over 200 Hz, last stands above the noise that
    16-bit samples have anyway, and less than 72 dB under its peak.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        The recording as it was decoded.
    sample_rate_hz : int
        Its sampling rate.

    Returns
    -------
    float
        Bandwidth in Hz; NaN for digital silence and for recordings under 50 ms.
    """
    size = 1 << max(math.ceil(math.log2(sample_rate_hz * 0.04)), 8)
    n_frames = samples.size // size
    if not n_frames:
        return math.nan
    every = max(n_frames // BANDWIDTH_FRAMES, 1)
    window = get_window("hann", size).astype(np.float32)
    spectrum = fft.rfft(samples[: n_frames * size].reshape(n_frames, size)[::every] * window)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=0, dtype=np.float64)
    per_hz = power * (2 / (sample_rate_hz * float((window**2).sum())))
    bin_hz = sample_rate_hz / size
    level_db = decibels_per_hz(uniform_filter1d(per_hz, max(round(BANDWIDTH_SMOOTHING_HZ / bin_hz), 1)))
    audible = level_db[int(LOWEST_HZ / bin_hz) + 1 :]
    above = np.flatnonzero(audible > max(audible.max() - BANDWIDTH_RANGE_DB, SIXTEEN_BIT_FLOOR_DB_PER_HZ + 6))
    return float((above[-1] + int(LOWEST_HZ / bin_hz) + 1) * bin_hz) if above.size else math.nan


def decibels_per_hz(density: Floats) -> Floats:
    """Return a power density in dB per Hz, with a floor far under any recording."""
    return 10 * np.log10(np.maximum(density, 1e-20))


def _ratio_db(speech_power: float, noise_power: float) -> float:
    """Return the ratio of speech to noise, given the power of both together and of the noise."""
    noise_power = max(noise_power, speech_power / (1 + 10 ** (MAX_SNR_DB / 10)))
    ratio = max(speech_power - noise_power, 0.01 * noise_power) / noise_power
    return min(10 * math.log10(ratio), MAX_SNR_DB)


def _level_dbfs(spectra: Spectra) -> float:
    if not spectra.frame_power.size:
        return math.nan
    chosen = spectra.is_speech if spectra.is_speech.any() else np.ones_like(spectra.is_speech)
    return float(decibels(spectra.frame_power[chosen].mean()))


def _near_speech(spectra: Spectra) -> npt.NDArray[np.bool_]:
    """Return which frames touch speech or the 0.1 s around it."""
    guard = int(NOISE_GUARD_S * RATE_HZ) + WINDOW // 2
    widened: Segments = np.clip(spectra.segments + np.array([-guard, guard]), 0, spectra.n_samples)
    middles = np.arange(len(spectra.power)) * HOP + WINDOW // 2
    return speech_mask(widened, spectra.n_samples)[middles]


def _noise_during_speech(spectra: Spectra) -> float:
    """Sum the 10 % quantile of each frequency over time, corrected to the mean.

    The power of noise in one bin is distributed exponentially, so that its quantile q stands at
    -ln(1 - q) times its mean.
    """
    first = math.ceil(LOWEST_HZ / (RATE_HZ / WINDOW))
    speech = np.flatnonzero(spectra.is_speech)
    power = spectra.power[speech[:: max(speech.size // MAX_NOISE_FRAMES, 1)], first:]
    quantile = np.quantile(power, NOISE_QUANTILE, axis=0)
    return float(quantile.sum(dtype=np.float64) / -math.log1p(-NOISE_QUANTILE))
