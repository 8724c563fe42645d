"""The audio that the model hears, in training and at night alike.

16 kHz mono, with the silence around the speech trimmed and long pauses shortened, at one level.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from affect_pipeline.acoustics.vad import RATE_HZ, Segments, speech_segments

EDGE_S = 0.1
"""Kept on either side of speech, for soft onsets and endings that the detector misses."""

LONGEST_PAUSE_S = 0.5
"""Longer pauses are cut to this. Pauses are measured as biomarkers, on the untouched recording."""

LEVEL_DBFS = -23.0
"""RMS level of the kept audio."""

PEAK = 0.99

Samples = npt.NDArray[np.float32]


def resample(samples: Samples, rate_hz: int) -> Samples:
    """Resample mono audio to 16 kHz (soxr, high quality).

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono audio.
    rate_hz : int
        Its sampling rate.

    Returns
    -------
    ndarray of float32, shape (about n * 16000 / rate_hz,)
    """
    if rate_hz == RATE_HZ:
        return samples
    import soxr

    resampled: Samples = soxr.resample(samples, rate_hz, RATE_HZ, quality="HQ")
    return resampled


def prepare(samples: Samples, rate_hz: int, segments: Segments | None = None) -> Samples:
    """Return a recording as the model hears it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono audio, any level.
    rate_hz : int
        Its sampling rate.
    segments : ndarray of int64, shape (n_segments, 2), optional
        Speech in samples at 16 kHz, as `vad.speech_segments` returns it; found here if not given.

    Returns
    -------
    ndarray of float32, shape (m,)
        16 kHz, RMS of -23 dBFS unless the peak would pass 0.99. Empty if nobody speaks.
    """
    audio = resample(samples, rate_hz)
    segments = speech_segments(audio) if segments is None else segments
    return normalise(trim(audio, segments))


def trim(audio: Samples, segments: Segments) -> Samples:
    """Cut what lies outside speech, leaving 0.1 s around it and pauses of at most 0.5 s.

    Parameters
    ----------
    audio : ndarray of float32, shape (n,)
        Mono audio at 16 kHz.
    segments : ndarray of int64, shape (n_segments, 2)
        Speech, in samples.

    Returns
    -------
    ndarray of float32, shape (m,), m <= n
    """
    if not len(segments):
        return audio[:0]
    edge, half_pause = int(EDGE_S * RATE_HZ), int(LONGEST_PAUSE_S * RATE_HZ / 2)
    starts, ends = segments[:, 0] - half_pause, segments[:, 1] + half_pause
    starts[0], ends[-1] = segments[0, 0] - edge, segments[-1, 1] + edge
    starts, ends = np.maximum(starts, 0), np.minimum(ends, audio.size)
    starts[1:] = np.maximum(starts[1:], ends[:-1])
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    return np.concatenate([audio[start:end] for start, end in zip(starts, ends, strict=True)])


def normalise(audio: Samples) -> Samples:
    """Remove the offset and bring the RMS to -23 dBFS, as far as the peak allows.

    Parameters
    ----------
    audio : ndarray of float32, shape (n,)
        Mono audio; digital silence is returned as it is.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    if not audio.size:
        return audio
    centred = audio.astype(np.float64)
    centred -= centred.mean()
    rms, peak = float(np.sqrt(np.mean(centred**2))), float(np.abs(centred).max())
    if rms == 0:
        return centred.astype(np.float32)
    gain = min(10 ** (LEVEL_DBFS / 20) / rms, PEAK / peak)
    return (centred * gain).astype(np.float32)


def to_int16(audio: Samples) -> npt.NDArray[np.int16]:
    """Return audio in [-1, 1] as 16-bit integers, as prepared shards hold it."""
    scaled = np.rint(audio * 32767.0)
    return np.asarray(np.clip(scaled, -32768, 32767), np.int16)
