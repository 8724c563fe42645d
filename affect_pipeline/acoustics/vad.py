"""Where somebody speaks in a recording: Silero voice activity detection.

The model is the whole-sequence ONNX export that ships in the ``silero-vad`` wheel: many frames go
through one call, with the same probabilities as the streaming model. ONNX Runtime runs it on one
thread, so that a recording always gives the same segments.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from affect_pipeline.errors import SettingsError

RATE_HZ = 16_000
"""Sampling rate the detector works at; segments are counted in samples of this rate."""

FRAME = 512
CONTEXT = 64
FRAMES_PER_CALL = 512
STATE_SHAPE = (1, 1, 128)

SPEECH_AT = 0.5
SILENCE_AT = 0.35
MIN_SPEECH_S = 0.25
MIN_SILENCE_S = 0.1
WORKING_PEAK = 0.5

Segments = npt.NDArray[np.int64]
"""Speech segments, shape (n, 2): first sample and the sample after the last, at `RATE_HZ`."""


def speech_segments(samples: npt.NDArray[np.float32]) -> Segments:
    """Find the stretches of speech in a recording.

    The probability of speech opens a segment at 0.5 and closes it below 0.35; gaps under 0.1 s are
    bridged and what stays under 0.25 s is dropped (the defaults of Silero VAD).

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono audio at 16 kHz.

    Returns
    -------
    ndarray of int64, shape (n_segments, 2)
        Start and end of each segment in samples, in order, without overlap. No padding is added.

    References
    ----------
    Silero Team (2024). Silero VAD. https://github.com/snakers4/silero-vad
    """
    return segments_from_probabilities(speech_probabilities(samples), samples.size)


def speech_probabilities(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the probability of speech of each 32 ms frame.

    The recording is brought to a common peak first: the detector misses speech that is very quiet,
    and a microphone's gain must not decide what counts as speech.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono audio at 16 kHz.

    Returns
    -------
    ndarray of float32, shape (ceil(n / 512),)
        Probabilities in [0, 1].
    """
    if not samples.size:
        return np.zeros(0, np.float32)
    frames = _frames(_levelled(samples))
    hidden = cell = np.zeros(STATE_SHAPE, np.float32)
    parts = []
    for first in range(0, len(frames), FRAMES_PER_CALL):
        inputs = {"input": frames[first : first + FRAMES_PER_CALL], "h": hidden, "c": cell}
        values, hidden, cell = _session().run(["speech_probs", "hn", "cn"], inputs)
        parts.append(values.reshape(-1))
    joined: npt.NDArray[np.float32] = np.concatenate(parts)
    return joined


def segments_from_probabilities(probabilities: npt.NDArray[np.float32], n_samples: int) -> Segments:
    """Turn frame probabilities into segments: hysteresis, then bridging, then dropping.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n_frames,)
        Probability of speech of each frame of 512 samples.
    n_samples : int
        Length of the recording; the last segment ends there at the latest.

    Returns
    -------
    ndarray of int64, shape (n_segments, 2)
        Start and end of each segment, in samples.
    """
    decided = np.flatnonzero((probabilities >= SPEECH_AT) | (probabilities < SILENCE_AT))
    latest = np.searchsorted(decided, np.arange(probabilities.size), side="right") - 1
    speaking = np.zeros(probabilities.size, bool)
    if decided.size:
        speaking = (latest >= 0) & (probabilities[decided[np.maximum(latest, 0)]] >= SPEECH_AT)
    segments = runs(speaking) * FRAME
    if segments.size:
        gaps = segments[1:, 0] - segments[:-1, 1] >= MIN_SILENCE_S * RATE_HZ
        starts, ends = np.r_[True, gaps], np.r_[gaps, True]
        segments = np.stack([segments[starts, 0], segments[ends, 1]], axis=1)
    segments = np.minimum(segments, n_samples)
    return segments[segments[:, 1] - segments[:, 0] >= MIN_SPEECH_S * RATE_HZ]


def runs(mask: npt.NDArray[np.bool_]) -> Segments:
    """Return the runs of True in a mask as (start, end) pairs, shape (n_runs, 2)."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
    return edges.reshape(-1, 2).astype(np.int64)


def speech_mask(segments: Segments, n_samples: int) -> npt.NDArray[np.bool_]:
    """Return a mask over samples that is True inside the segments, shape (n_samples,)."""
    steps = np.zeros(n_samples + 1, np.int8)
    np.add.at(steps, segments[:, 0], 1)
    np.subtract.at(steps, segments[:, 1], 1)
    return np.cumsum(steps[:-1], dtype=np.int8).astype(bool)


def _levelled(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    centred = samples - samples.mean(dtype=np.float64).astype(np.float32)
    peak = float(np.abs(centred).max())
    return np.asarray(centred * np.float32(WORKING_PEAK / peak), np.float32) if peak > 0 else centred


def _frames(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Cut into frames of 512 samples, each behind the last 64 samples of the one before."""
    n_frames = -(-samples.size // FRAME)
    padded = np.zeros(CONTEXT + n_frames * FRAME, np.float32)
    padded[CONTEXT : CONTEXT + samples.size] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
    return np.ascontiguousarray(windows)


@lru_cache(maxsize=1)
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(_model_file()), options, providers=["CPUExecutionProvider"])


def _model_file() -> Path:
    # The package is only located, not imported: importing it would load torch.
    found = importlib.util.find_spec("silero_vad")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "data" / "silero_vad_16k_sequence.onnx"
        if path.exists():
            return path
    raise SettingsError("silero_vad_16k_sequence.onnx was not found: install silero-vad 6.2 or newer")
