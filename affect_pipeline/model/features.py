"""Frames of a teacher for whole corpora, kept on disk so that they are computed once.

For each recording, one file ``<key>.npy`` of float16 frames (T, width) in the store's folder; a file that is
there is not computed again, so a run that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.teacher import SAMPLE_RATE_HZ, Teacher


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


def feature_key(path: Path) -> str:
    """Return the name under which a recording's frames are kept: a digest of its content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


class FeatureStore:
    """Teacher frames of recordings in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, recording: Path) -> Path:
        """Return where the frames of a recording are kept."""
        return self.folder / f"{feature_key(recording)}.npy"

    def load(self, recording: Path) -> NDArray[np.float16]:
        """Return the frames (T, width) of a recording that has been extracted."""
        return np.asarray(np.load(self.path(recording), allow_pickle=False), np.float16)

    def extract(self, recordings: Iterable[Path], teacher: Teacher, done: Callable[[Path], None] | None = None) -> int:
        """Compute the frames that are missing; returns how many recordings that were."""
        n_new = 0
        for recording in recordings:
            target = self.path(recording)
            if not target.exists():
                frames = teacher.frames(read_audio(recording)).astype(np.float16)
                partial = target.with_suffix(f".{os.getpid()}.tmp")
                with partial.open("wb") as file:
                    np.save(file, frames, allow_pickle=False)
                partial.replace(target)
                n_new += 1
            if done is not None:
                done(recording)
        return n_new
