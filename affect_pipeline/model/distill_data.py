"""Recordings and teacher frames in memory, and the batch of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.augment import augment, change_speed
from affect_pipeline.model.features import FeatureStore, read_audio

if TYPE_CHECKING:
    from affect_pipeline.model.distill import DistillPlan

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_FRAME = 320
TEACHER_SHIFT = 360 / SAMPLES_PER_FRAME
"""The student's first frame is centred at sample 360, the teacher's at 0: teacher frame = student frame + 1.125."""


@dataclass(frozen=True)
class Batch:
    """One batch of crops; audio (B, T), lengths (B,), teacher frames (B, F, width) and how many count (B,)."""

    heard: Tensor
    clean: Tensor
    lengths: Tensor
    teacher: Tensor
    n_teacher: Tensor


Recorded = tuple[NDArray[np.int16], NDArray[np.float16]]
"""Audio at 16 kHz, shape (n,), and its teacher frames, shape (ceil(n / 320), width)."""


def load_corpus(paths: Sequence[Path], store: FeatureStore, done: Callable[[], None] | None = None) -> list[Recorded]:
    """Read the recordings whose teacher frames have been extracted."""
    loaded: list[Recorded] = []
    for path in paths:
        if store.path(path).exists():
            samples = np.clip(read_audio(path) * 32767, -32768, 32767).astype(np.int16)
            loaded.append((samples, store.load(path)))
        if done is not None:
            done()
    return loaded


class DistillData:
    """Recordings grouped by corpus; a corpus is drawn with a chance that goes with the square root of its size."""

    def __init__(self, corpora: Sequence[list[Recorded]]) -> None:
        self._corpora = [corpus for corpus in corpora if corpus]
        if not self._corpora:
            raise CorpusError("no recording has teacher frames; extract them first")
        self.teacher_width = int(self._corpora[0][0][1].shape[1])
        sizes = np.sqrt([len(corpus) for corpus in self._corpora])
        self._chances = sizes / sizes.sum()

    def batch(self, plan: DistillPlan, step: int) -> Batch:
        """Return the batch of a step, a function of (plan.seed, step)."""
        rng = np.random.default_rng((plan.seed, step + 1))
        crop = int(rng.choice(plan.crop_s) * SAMPLE_RATE_HZ)
        size = max(2, int(plan.seconds_per_batch * SAMPLE_RATE_HZ / crop))
        rows = [self._row(rng, plan, crop) for _ in range(size)]
        n_frames = crop // SAMPLES_PER_FRAME
        heard, clean = np.zeros((size, crop), np.float32), np.zeros((size, crop), np.float32)
        teacher = np.zeros((size, n_frames, self.teacher_width), np.float32)
        lengths, n_teacher = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for i, (dirty, voice, frames) in enumerate(rows):
            heard[i, : dirty.size], clean[i, : voice.size] = dirty, voice
            lengths[i], n_teacher[i] = voice.size, min(n_frames, len(frames))
            teacher[i, : n_teacher[i]] = frames[:n_frames]
        arrays = (heard, clean, lengths, teacher, n_teacher)
        return Batch(*(torch.from_numpy(array) for array in arrays))

    def _row(
        self, rng: np.random.Generator, plan: DistillPlan, crop: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        samples, frames = self._draw(rng)
        factor = rng.uniform(*plan.augment.speed_range) if rng.random() < plan.augment.speed else 1.0
        wanted = int(crop * factor)
        start = int(rng.integers(0, max(1, samples.size - wanted)))
        voice = _as_float(samples[start : start + wanted])
        voice = (change_speed(voice, factor) if factor != 1.0 else voice)[:crop]
        other = _as_float(self._draw(rng)[0])
        dirty = augment(voice, rng, plan.augment, other) if step_is_augmented(plan) else voice
        steps = np.arange(crop // SAMPLES_PER_FRAME, dtype=np.float64)
        at = start / SAMPLES_PER_FRAME + (steps + TEACHER_SHIFT) * factor
        return dirty, voice, _between(frames, at[at <= len(frames) - 1])

    def _draw(self, rng: np.random.Generator) -> Recorded:
        corpus = self._corpora[int(rng.choice(len(self._corpora), p=self._chances))]
        return corpus[int(rng.integers(len(corpus)))]


def step_is_augmented(plan: DistillPlan) -> bool:
    """Return whether the plan changes audio beyond its speed."""
    return plan.augment.noise + plan.augment.reverberation + plan.augment.channel > 0


def _as_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return np.asarray(samples, np.float32) / np.float32(32768)


def _between(frames: NDArray[np.float16], at: NDArray[np.float64]) -> NDArray[np.float32]:
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(frames) - 1)
    share = (at - low)[:, None].astype(np.float32)
    return np.asarray(
        frames[low].astype(np.float32) * (1 - share) + frames[high].astype(np.float32) * share, np.float32
    )
