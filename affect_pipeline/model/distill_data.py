"""Prepared recordings in memory, and the batch of a step."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affect_pipeline.acoustics.preprocessing import to_int16
from affect_pipeline.errors import CorpusError
from affect_pipeline.model.augment import augment, change_speed
from affect_pipeline.model.corpora import TESTING_ONLY, Recording
from affect_pipeline.model.embed import LEAST_SPEECH_S, prepared_voice

if TYPE_CHECKING:
    from affect_pipeline.model.distill import DistillPlan

SAMPLE_RATE_HZ = 16_000
ALONE = 0.25
"""Chance that a crop holds one recording, with silence after it if it is short; others are joined to its length."""

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """One batch of crops: what the student hears and the clean voice, each (B, T), and their lengths (B,)."""

    heard: Tensor
    clean: Tensor
    lengths: Tensor


def load_corpus(
    recordings: Sequence[Recording], folder: Path | None = None, done: Callable[[], None] | None = None
) -> list[NDArray[np.int16]]:
    """Prepare recordings as journals are prepared; those with too little speech are left out.

    Parameters
    ----------
    recordings : sequence of Recording
        Of one corpus.
    folder : Path, optional
        Keeps the result, so that it is computed once.
    done : callable, optional
        Called after each recording.

    Raises
    ------
    CorpusError
        If the corpus is for testing only: no student hears it.
    """
    if recordings and recordings[0].corpus in TESTING_ONLY:
        raise CorpusError(f"{recordings[0].corpus} is for testing only: give it to `affect model evaluate`")
    kept = folder / f"{_key(recordings)}.npz" if folder is not None else None
    if kept is not None and kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            return np.split(file["samples"], np.cumsum(file["sizes"])[:-1])
    voices = []
    for recording in recordings:
        voice = prepared_voice(recording)
        if voice.size >= LEAST_SPEECH_S * SAMPLE_RATE_HZ:
            voices.append(to_int16(voice))
        if done is not None:
            done()
    if kept is not None and voices:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}.tmp")
        with partial.open("wb") as out:
            np.savez(out, samples=np.concatenate(voices), sizes=[voice.size for voice in voices])
        partial.replace(kept)
    return voices


class DistillData:
    """Voices grouped by corpus; a corpus is drawn with a chance that goes with the square root of its size."""

    def __init__(self, corpora: Sequence[list[NDArray[np.int16]]]) -> None:
        self._corpora = [corpus for corpus in corpora if corpus]
        if not self._corpora:
            raise CorpusError("no recording holds enough speech to learn from")
        sizes = np.sqrt([len(corpus) for corpus in self._corpora])
        self._chances = sizes / sizes.sum()

    def batch(self, plan: DistillPlan, step: int) -> Batch:
        """Return the batch of a step, a function of (plan.seed, step)."""
        rng = np.random.default_rng((plan.seed, step + 1))
        crop = int(rng.choice(plan.crop_s) * SAMPLE_RATE_HZ)
        size = max(2, int(plan.seconds_per_batch * SAMPLE_RATE_HZ / crop))
        heard, clean = np.zeros((size, crop), np.float32), np.zeros((size, crop), np.float32)
        lengths = np.zeros(size, np.int64)
        for i in range(size):
            voice = self._voice(rng, plan, crop)
            other = _as_float(self._draw(rng))
            clean[i, : voice.size], lengths[i] = voice, voice.size
            heard[i, : voice.size] = augment(voice, rng, plan.augment, other) if step_is_augmented(plan) else voice
        return Batch(torch.from_numpy(heard), torch.from_numpy(clean), torch.from_numpy(lengths))

    def _voice(self, rng: np.random.Generator, plan: DistillPlan, crop: int) -> Samples:
        factor = rng.uniform(*plan.augment.speed_range) if rng.random() < plan.augment.speed else 1.0
        wanted = int(crop * factor) + 1
        samples = self._draw(rng)
        start = int(rng.integers(0, max(1, samples.size - wanted)))
        parts = [samples[start : start + wanted]]
        if rng.random() >= ALONE:
            while sum(part.size for part in parts) < wanted:
                parts.append(self._draw(rng))
        voice = _as_float(np.concatenate(parts)[:wanted])
        return (change_speed(voice, factor) if factor != 1.0 else voice)[:crop]

    def _draw(self, rng: np.random.Generator) -> NDArray[np.int16]:
        corpus = self._corpora[int(rng.choice(len(self._corpora), p=self._chances))]
        return corpus[int(rng.integers(len(corpus)))]


def _key(recordings: Sequence[Recording]) -> str:
    files = [(r.path.name, r.path.stat().st_size, r.parts_s) for r in recordings]
    return hashlib.sha256(repr(files).encode()).hexdigest()[:32]


def step_is_augmented(plan: DistillPlan) -> bool:
    """Return whether the plan changes audio beyond its speed."""
    return plan.augment.noise + plan.augment.reverberation + plan.augment.channel > 0


def _as_float(samples: NDArray[np.int16]) -> Samples:
    return np.asarray(samples, np.float32) / np.float32(32768)
