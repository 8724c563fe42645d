"""Scores journals: prepared audio in; depression, valence, arousal and their errors out.

A journal's score depends on its samples and the model, on nothing else: not on what is scored with
it, the order, the shard or the number of threads. So a backfill equals its nights, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from affect_pipeline.errors import ModelError
from affect_pipeline.model.batching import BUCKET_STEP_S, OVERLAP_S, Window, WindowSpread, combine, cut, plan_windows
from affect_pipeline.model.encoder import AffectiveEncoder, folder_digest
from affect_pipeline.model.runners import BatchRunner, Forward, Runner, SoloRunner

Audio = npt.NDArray[np.int16] | npt.NDArray[np.float32]
Precision = Literal["float32", "bfloat16"]

CHUNK_S = 600.0
"""Seconds of audio that are held in memory at once while a stream is scored."""

HEADS = ("depression_logit", "valence", "arousal")
"""The first columns of a window's results; the embedding follows."""


@dataclass(frozen=True)
class JournalScore:
    """What the model hears in one journal.

    Parameters
    ----------
    depression_probability : float
        Calibrated, in (0, 1). What it means is said by the model (``depression_meaning``).
    depression_logit, depression_logit_se : float
        The same before calibration, with its standard error.
    valence, valence_se, arousal, arousal_se : float
        In [-1, 1].
    n_windows : int
        Windows that the journal was cut into.
    embedding : ndarray, shape (E,), float32
        Mean of the windows' embeddings, weighted by their seconds.
    """

    depression_probability: float
    depression_logit: float
    depression_logit_se: float
    valence: float
    valence_se: float
    arousal: float
    arousal_se: float
    n_windows: int
    embedding: npt.NDArray[np.float32] = field(compare=False, repr=False)


OUTPUT_COLUMNS = tuple(field.name for field in fields(JournalScore) if field.name != "embedding")
"""What is stored of a score, in this order."""


class Scorer:
    """A model, loaded once, that scores any number of journals.

    Parameters
    ----------
    model_dir : Path
        A model folder, as `AffectiveEncoder.load` reads it.
    device : str
        ``auto`` (CUDA if there is a GPU), ``cpu`` or ``cuda``.
    threads : int
        Windows that are scored at once on a CPU; 0 means one a core. Changes the speed, not the scores.
    precision : {'float32', 'bfloat16'}
        Precision of the encoder's products. bfloat16 moves scores by more than 1e-4, so the scores
        that are stored are made in float32.
    runner : Runner, optional
        How windows are run; by default what fits the device.

    Raises
    ------
    ModelError
        If the folder is refused.

    Examples
    --------
    >>> scorer = Scorer(default_model_dir())  # doctest: +SKIP
    >>> [score] = scorer.score([np.zeros(16_000, dtype=np.int16)])  # doctest: +SKIP
    """

    def __init__(
        self,
        model_dir: Path,
        device: str = "auto",
        threads: int = 0,
        precision: Precision = "float32",
        runner: Runner | None = None,
    ) -> None:
        self.digest = folder_digest(model_dir)
        self.device = torch.device(_device(device))
        self.precision = precision
        self.encoder = AffectiveEncoder.load(model_dir).to(self.device)
        self.affect = self.encoder.affect
        self._runner = runner or self._default_runner(self._forward, threads)
        rate = self.affect.sampling_rate_hz
        self._window, self._overlap, self._step = (
            round(seconds * rate) for seconds in (self.affect.window_s, OVERLAP_S, BUCKET_STEP_S)
        )

    def on(self, runner: Runner) -> Scorer:
        """Run windows otherwise from now on; returns the scorer."""
        self._runner = runner
        return self

    def score(self, audios: Sequence[Audio]) -> list[JournalScore]:
        """Score journals.

        Parameters
        ----------
        audios : Sequence of arrays (n_samples,)
            Prepared audio, 16 kHz mono; int16, or float32 in [-1, 1].

        Returns
        -------
        list[JournalScore]
            In the order of `audios`.

        Raises
        ------
        ModelError
            If the model gives a journal a score that is not a number.
        ValueError
            If a journal holds no samples.
        """
        return list(self.stream(audios))

    def stream(self, audios: Iterable[Audio]) -> Iterator[JournalScore]:
        """Score journals one after the other, with about `CHUNK_S` of audio in memory at a time."""
        chunk: list[Audio] = []
        held = 0
        for audio in audios:
            chunk.append(audio)
            held += audio.size
            if held >= CHUNK_S * self.affect.sampling_rate_hz:
                yield from self._score_chunk(chunk)
                chunk, held = [], 0
        if chunk:
            yield from self._score_chunk(chunk)

    def _score_chunk(self, audios: Sequence[Audio]) -> Iterator[JournalScore]:
        plans = [plan_windows(audio.size, self._window, self._overlap, self._step) for audio in audios]
        pieces = [cut(audio, window) for audio, plan in zip(audios, plans, strict=True) for window in plan]
        lengths = [window.stop - window.start for plan in plans for window in plan]
        results = self._runner.run(pieces, lengths)
        first = 0
        for plan in plans:
            yield self._journal(plan, results[first : first + len(plan)])
            first += len(plan)

    def _journal(self, plan: Sequence[Window], results: npt.NDArray[np.float64]) -> JournalScore:
        if not np.isfinite(results).all():
            raise ModelError(f"model {self.digest[:12]} gives a score that is not a number")
        seconds = [window.weight / self.affect.sampling_rate_hz for window in plan]
        (logit, logit_se), (valence, valence_se), (arousal, arousal_se) = (
            combine(results[:, column].tolist(), seconds, self._spread(name)) for column, name in enumerate(HEADS)
        )
        # Summed window by window: the order of additions is part of the promise of equal bits.
        embedding = sum(second * row for second, row in zip(seconds, results[:, len(HEADS) :], strict=True))
        return JournalScore(
            depression_probability=_sigmoid(logit / self.affect.temperature),
            depression_logit=logit,
            depression_logit_se=logit_se,
            valence=valence,
            valence_se=valence_se,
            arousal=arousal,
            arousal_se=arousal_se,
            n_windows=len(plan),
            embedding=(cast(npt.NDArray[np.float64], embedding) / math.fsum(seconds)).astype(np.float32),
        )

    def _spread(self, name: str) -> WindowSpread:
        return WindowSpread(sd=self.affect.usual_sd[name], reference_s=self.affect.window_s)

    def _forward(self, audio: Tensor, lengths: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            out = self.encoder(audio, lengths)
        columns = [getattr(out, name)[:, None] for name in HEADS]
        return torch.cat([*columns, out.embedding], dim=1).float()

    def _default_runner(self, forward: Forward, threads: int) -> Runner:
        if self.device.type == "cpu":
            return SoloRunner(forward, threads)
        # TF32 keeps 10 bits of a product: scores would differ from a CPU's by more than 1e-4.
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        return BatchRunner(forward, self.device)


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
