"""Recordings of corpora as samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError

SAMPLE_RATE_HZ = 16_000


def read_audio(path: Path) -> NDArray[np.float32]:
    """Read a recording as mono float32 at 16 kHz, shape (n,).

    Raises
    ------
    CorpusError
        If the file cannot be decoded.
    """
    try:
        samples, rate_hz = sf.read(path, dtype="float32", always_2d=True)
    except sf.LibsndfileError as error:
        raise CorpusError(f"{path.name} cannot be decoded: {error}") from error
    mono = samples.mean(axis=1)
    return mono if rate_hz == SAMPLE_RATE_HZ else np.asarray(soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ), np.float32)
