"""The short-time spectrum that quality metrics and biomarkers share: computed once a recording."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.signal import get_window

from affect_pipeline.acoustics.vad import RATE_HZ, Segments, speech_mask

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

WINDOW = 512
HOP = 160
HOP_S = HOP / RATE_HZ
BIN_HZ = RATE_HZ / WINDOW
LOWEST_HZ = 60.0
"""Below is mains hum, handling noise and wind, which no judgement here rests on."""

BLOCK_FRAMES = 4096
SILENCE_POWER = 1e-13
"""Keeps logarithms finite: -130 dBFS, under the noise of 16-bit audio."""


@dataclass(frozen=True)
class Spectra:
    """Power spectra of a recording, one each 10 ms, and which of them are speech.

    Parameters
    ----------
    power : ndarray of float32, shape (n_frames, 257)
        Power in each bin of 31.25 Hz; the bins of a frame sum to its mean square (full scale 1).
    is_speech : ndarray of bool, shape (n_frames,)
        Whether the middle of the frame is speech.
    segments : ndarray of int64, shape (n_segments, 2)
        Speech in samples at 16 kHz.
    n_samples : int
        Length of the recording in samples at 16 kHz.
    """

    power: npt.NDArray[np.float32]
    is_speech: npt.NDArray[np.bool_]
    segments: Segments
    n_samples: int

    @cached_property
    def frame_power(self) -> Floats:
        """Mean square of each frame above 60 Hz, shape (n_frames,)."""
        return self.band_power(LOWEST_HZ, RATE_HZ / 2)

    @property
    def speech_s(self) -> float:
        """Seconds of speech."""
        return float((self.segments[:, 1] - self.segments[:, 0]).sum() / RATE_HZ)

    def band_power(self, low_hz: float, high_hz: float) -> Floats:
        """Return the mean square of each frame in a band, shape (n_frames,)."""
        first, last = int(np.ceil(low_hz / BIN_HZ)), int(np.floor(high_hz / BIN_HZ))
        return np.asarray(self.power[:, first : last + 1].sum(axis=1, dtype=np.float64))


def spectra(audio: Samples, segments: Segments) -> Spectra:
    """Compute the power spectra of a recording.

    Parameters
    ----------
    audio : ndarray of float32, shape (n,)
        Mono audio at 16 kHz.
    segments : ndarray of int64, shape (n_segments, 2)
        Speech, in samples.

    Returns
    -------
    Spectra
        Frames of 32 ms (Hann) each 10 ms, without padding: a recording under 32 ms has none.
    """
    n_frames = max((audio.size - WINDOW) // HOP + 1, 0)
    power = np.empty((n_frames, WINDOW // 2 + 1), np.float32)
    window = get_window("hann", WINDOW).astype(np.float32)
    # One-sided power: every bin but the first and the last stands for two.
    weight = np.full(power.shape[1], 2 / (WINDOW * float((window**2).sum())), np.float32)
    weight[[0, -1]] /= 2
    if n_frames:
        frames = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP]
        for first in range(0, n_frames, BLOCK_FRAMES):
            spectrum = fft.rfft(frames[first : first + BLOCK_FRAMES] * window)
            power[first : first + BLOCK_FRAMES] = (spectrum.real**2 + spectrum.imag**2) * weight
    middles = np.arange(n_frames) * HOP + WINDOW // 2
    return Spectra(power, speech_mask(segments, audio.size)[middles], segments, audio.size)


def decibels(power: Floats) -> Floats:
    """Return power in dB; nothing is -130 dB."""
    return 10 * np.log10(np.maximum(power, SILENCE_POWER))
