"""Fundamental frequency: YIN on all frames at once, with a second look inside the speaker's own range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from affect_pipeline.acoustics.vad import RATE_HZ, runs

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

PITCH_RATE_HZ = 8_000
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
INTEGRATION = 256
"""Samples compared at each lag: 32 ms, about two periods of the lowest pitch."""

LONGEST_LAG = int(PITCH_RATE_HZ / LOWEST_HZ) + 1
SHORTEST_LAG = int(PITCH_RATE_HZ / HIGHEST_HZ)
FFT_SIZE = 512
BLOCK_FRAMES = 4096

DIP_BELOW = 0.15
VOICED_BELOW = 0.25
SURE_BELOW = 0.1
RANGE_BELOW_Q25, RANGE_ABOVE_Q75 = 0.75, 1.5
SHORTEST_RUN = 3
MAX_JUMP_ST = 5.0


@dataclass(frozen=True)
class Pitch:
    """Pitch of a row of frames.

    Parameters
    ----------
    f0_hz : ndarray of float64, shape (n_frames,)
        Fundamental frequency; NaN where the frame is not voiced.
    aperiodicity : ndarray of float64, shape (n_frames,)
        0 for a perfectly periodic frame, about 1 for noise.
    """

    f0_hz: Floats
    aperiodicity: Floats

    @property
    def is_voiced(self) -> npt.NDArray[np.bool_]:
        """Whether each frame is voiced, shape (n_frames,)."""
        return ~np.isnan(self.f0_hz)


def track_pitch(audio: Samples, middles: npt.NDArray[np.int64]) -> Pitch:
    """Estimate the pitch around given samples.

    A first pass of YIN over 60-500 Hz gives the speaker's quartiles; the second looks again between
    0.75 of the lower and 1.5 of the upper one, which leaves no room for octave errors. What
    remains must last three frames and not leap by more than five semitones from its surroundings.

    Parameters
    ----------
    audio : ndarray of float32, shape (n,)
        Mono audio at 16 kHz.
    middles : ndarray of int64, shape (n_frames,)
        Sample in the middle of each frame; neighbours in time stand beside each other.

    Returns
    -------
    Pitch

    References
    ----------
    de Cheveigné, A., & Kawahara, H. (2002). YIN, a fundamental frequency estimator for speech and
    music. JASA 111(4). De Looze, C., & Hirst, D. (2008). Detecting changes in key and range for the
    automatic modelling and coding of intonation. Speech Prosody 2008.
    """
    if not middles.size:
        return Pitch(np.zeros(0), np.zeros(0))
    difference = _normalised_difference(audio, middles)
    f0_hz, aperiodicity = _first_dip(difference, SHORTEST_LAG, LONGEST_LAG - 1)
    sure = aperiodicity < SURE_BELOW
    if sure.sum() >= 10:
        q25, q75 = np.quantile(f0_hz[sure], [0.25, 0.75])
        low, high = max(RANGE_BELOW_Q25 * q25, LOWEST_HZ), min(RANGE_ABOVE_Q75 * q75, HIGHEST_HZ)
        lags = int(PITCH_RATE_HZ / high), int(np.ceil(PITCH_RATE_HZ / low))
        f0_hz, aperiodicity = _first_dip(difference, max(lags[0], SHORTEST_LAG), min(lags[1], LONGEST_LAG - 1))
    voiced = _steady(f0_hz, aperiodicity < VOICED_BELOW)
    return Pitch(np.where(voiced, f0_hz, np.nan), aperiodicity)


def _normalised_difference(audio: Samples, middles: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return YIN's cumulative mean normalised difference, shape (n_frames, LONGEST_LAG + 1)."""
    import soxr

    low_rate = soxr.resample(audio, RATE_HZ, PITCH_RATE_HZ, quality="MQ")
    length = INTEGRATION + LONGEST_LAG
    padded = np.pad(low_rate, length)
    starts = middles * PITCH_RATE_HZ // RATE_HZ - length // 2 + length
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)
    result = np.empty((starts.size, LONGEST_LAG + 1), np.float32)
    for first in range(0, starts.size, BLOCK_FRAMES):
        frames = windows[np.clip(starts[first : first + BLOCK_FRAMES], 0, len(windows) - 1)]
        result[first : first + BLOCK_FRAMES] = _difference_of(frames - frames.mean(axis=1, keepdims=True))
    return result


def _difference_of(frames: npt.NDArray[np.float32]) -> Floats:
    head = fft.rfft(frames[:, :INTEGRATION], FFT_SIZE)
    correlation = fft.irfft(np.conj(head) * fft.rfft(frames, FFT_SIZE), FFT_SIZE)[:, : LONGEST_LAG + 1]
    total = np.cumsum(np.pad(np.square(frames, dtype=np.float64), ((0, 0), (1, 0))), axis=1)
    energy = total[:, INTEGRATION:] - total[:, : LONGEST_LAG + 1]
    difference = np.maximum(energy[:, :1] + energy - 2 * correlation, 0)
    difference[:, 0] = 0
    lags = np.arange(LONGEST_LAG + 1)
    mean_so_far = np.cumsum(difference, axis=1) / np.maximum(lags, 1)
    silent = mean_so_far <= 1e-12
    return np.where(silent, 1.0, difference / np.where(silent, 1.0, mean_so_far))


def _first_dip(difference: npt.NDArray[np.float32], shortest: int, longest: int) -> tuple[Floats, Floats]:
    """Take the first local minimum under the threshold, or else the deepest, refined by a parabola."""
    here = difference[:, shortest : longest + 1]
    before, after = difference[:, shortest - 1 : longest], difference[:, shortest + 1 : longest + 2]
    is_dip = (here < before) & (here <= after)
    is_deep = is_dip & (here < DIP_BELOW)
    deepest = np.where(is_dip, here, np.float32(2)).argmin(axis=1)
    chosen = np.where(is_deep.any(axis=1), is_deep.argmax(axis=1), deepest)
    rows = np.arange(len(difference))
    left, value, right = (part[rows, chosen].astype(np.float64) for part in (before, here, after))
    curvature = left - 2 * value + right
    shift = np.where(curvature > 1e-9, 0.5 * (left - right) / np.where(curvature > 1e-9, curvature, 1), 0)
    shift = np.clip(shift, -0.5, 0.5)
    depth = np.where(is_dip.any(axis=1), value - 0.25 * (left - right) * shift, 1.0)
    return PITCH_RATE_HZ / (chosen + shortest + shift), np.maximum(depth, 0)


def _steady(f0_hz: Floats, voiced: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Drop voiced frames that leap away from their neighbours, then runs that are too short."""
    from scipy.ndimage import median_filter

    semitones = 12 * np.log2(f0_hz)
    kept = voiced.copy()
    if voiced.any():
        local = median_filter(semitones[voiced], size=9, mode="nearest")
        kept[voiced] = np.abs(semitones[voiced] - local) <= MAX_JUMP_ST
    steady = np.zeros_like(kept)
    for start, end in runs(kept):
        steady[start:end] = end - start >= SHORTEST_RUN
    return steady
