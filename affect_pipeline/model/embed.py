"""Embeddings of whole corpora: what heads are fitted on.

Recordings go the way of a journal: prepared by `affect_pipeline.acoustics.preprocessing`, cut into windows by
`affect_pipeline.model.batching`. Embeddings are kept on disk under the model's front (its encoder, not its heads),
so a training that was killed goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from affect_pipeline.acoustics.preprocessing import normalise, prepare
from affect_pipeline.model.augment import AugmentPlan, augment
from affect_pipeline.model.batching import BUCKET_STEP_S, OVERLAP_S, cut, plan_windows
from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.features import read_audio
from affect_pipeline.model.prosody import summary_names

RATE_HZ = 16_000
AT_ONCE = 32
"""Windows that the encoder hears together: an interview has hundreds, and their states would not fit in memory."""
LEAST_SPEECH_S = 0.4
"""Recordings with less speech than this say nothing and are left out."""


@dataclass(frozen=True)
class Embedded:
    """Raw embeddings (before standardisation) of the windows of recordings.

    Parameters
    ----------
    raw : ndarray of float32, shape (W, E)
        One row a window.
    recording : ndarray of int64, shape (W,)
        Which recording, as an index into the list that was embedded.
    copy : ndarray of int64, shape (W,)
        0 for the recording as it is, 1, 2, ... for augmented copies.
    seconds : ndarray of float64, shape (W,)
        Weight of each window within its recording.
    """

    raw: NDArray[np.float32]
    recording: NDArray[np.int64]
    copy: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def mean_by_recording(
        self, values: NDArray[np.float64], copy: int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return recordings that have windows, and the mean of values (W, ...) over the windows of each."""
        chosen = self.copy == copy
        present, position = np.unique(self.recording[chosen], return_inverse=True)
        shape = (len(present), *values.shape[1:])
        weight = self.seconds[chosen].reshape(-1, *([1] * (values.ndim - 1)))
        sums, weights = np.zeros(shape), np.zeros((len(present), *weight.shape[1:]))
        np.add.at(sums, position, values[chosen] * weight)
        np.add.at(weights, position, weight)
        return present, sums / weights


def embed(
    encoder: AffectiveEncoder,
    recordings: Sequence[Recording],
    *,
    copies: int = 0,
    seed: int = 0,
    cache: Path | None = None,
    done: Callable[[], None] | None = None,
) -> Embedded:
    """Embed recordings and augmented copies of them.

    Parameters
    ----------
    encoder : AffectiveEncoder
        The model; its heads and standardisation are not used.
    recordings : sequence of Recording
        What to embed. Those without speech have no windows in the result.
    copies : int
        Augmented copies of each.
    seed : int
        Seed of the augmentation; a copy is a function of (seed, recording's content, copy).
    cache : Path, optional
        Folder that keeps embeddings.
    done : callable, optional
        Called after each recording.
    """
    front = front_digest(encoder)
    rows: list[NDArray[np.float32]] = []
    where: list[tuple[int, int, float]] = []
    for index, recording in enumerate(recordings):
        raw, about = _one(encoder, recording, copies, seed, cache / front if cache else None)
        rows.append(raw)
        where += [(index, int(copy), float(seconds)) for copy, seconds in about]
        if done is not None:
            done()
    table = np.array(where, np.float64).reshape(-1, 3)
    return Embedded(
        np.concatenate([*rows, np.zeros((0, encoder.embedding_size), np.float32)]),
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2],
    )  # fmt: skip


def front_digest(encoder: AffectiveEncoder) -> str:
    """Return a digest of what decides the raw embedding: the encoder's weights, and how it is pooled."""
    prosody = summary_names() if encoder.affect.use_prosody else ()
    digest = hashlib.sha256(repr((encoder.affect.pooled_layers, prosody, encoder.affect.window_s)).encode())
    for name, value in sorted(encoder.wav2vec2.state_dict().items()):
        digest.update(name.encode() + value.float().numpy().tobytes())
    return digest.hexdigest()[:24]


def _one(
    encoder: AffectiveEncoder, recording: Recording, copies: int, seed: int, folder: Path | None
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    audio_key = hashlib.sha256(recording.path.read_bytes() + repr(recording.parts_s).encode()).hexdigest()[:32]
    kept = folder / f"{audio_key}-{seed}-{copies}.npz" if folder else None
    if kept is not None and kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            return file["raw"], file["about"]
    voices = _voices(recording, copies, np.random.default_rng((seed, int(audio_key[:12], 16))))
    found = [(copy, *windows_of(encoder, voice)) for copy, voice in enumerate(voices) if voice.size]
    raw = np.concatenate([values for _, values, _ in found] or [np.zeros((0, encoder.embedding_size), np.float32)])
    about = np.array([(copy, s) for copy, _, seconds in found for s in seconds], np.float64).reshape(-1, 2)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".tmp")
        with partial.open("wb") as file:
            np.savez(file, raw=raw, about=about)
        partial.replace(kept)
    return raw, about


def prepared_voice(recording: Recording) -> NDArray[np.float32]:
    """Return the parts of a recording that count, one after the other, prepared as a journal is; shape (n,)."""
    samples = read_audio(recording.path)
    if recording.parts_s:
        samples = np.concatenate([samples[int(a * RATE_HZ) : int(b * RATE_HZ)] for a, b in recording.parts_s])
    return prepare(samples, RATE_HZ)


def _voices(recording: Recording, copies: int, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    voices = [prepared_voice(recording)]
    if voices[0].size < LEAST_SPEECH_S * RATE_HZ:
        return []
    # Rooms, noise and codecs, but the same throat: pitch and formants of a copy shall still tell how it was said.
    return voices + [normalise(augment(voices[0], rng, AugmentPlan())) for _ in range(copies)]


def windows_of(encoder: AffectiveEncoder, voice: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[float]]:
    """Return raw embeddings (W, E) of prepared audio, and the seconds that each window answers for."""
    window, overlap, step = (round(s * RATE_HZ) for s in (encoder.affect.window_s, OVERLAP_S, BUCKET_STEP_S))
    plan = plan_windows(voice.size, window, overlap, step)
    rows = []
    for start in range(0, len(plan), AT_ONCE):
        some = plan[start : start + AT_ONCE]
        with torch.inference_mode():
            waves = torch.from_numpy(np.stack([cut(voice, w) for w in some]))
            rows.append(encoder.raw_embedding(waves, torch.tensor([w.stop - w.start for w in some])).numpy())
    return np.concatenate(rows), [w.weight / RATE_HZ for w in plan]
