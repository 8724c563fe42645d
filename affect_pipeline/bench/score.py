"""Speed of the scorer against ``transformers.pipeline("audio-classification")`` with the same encoder weights.

The pipeline runs as users get it: float32, all cores, its own batching. It pads the journals of a batch to the
longest and listens to each as a whole; it computes an embedding's mean and one linear layer, without windows,
prosody or standard errors. The scorer runs as in a night.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AudioClassificationPipeline,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
)

from affect_pipeline.bench.machine import matmul_gflops, n_cores, seconds_of, torch_threads
from affect_pipeline.bench.recordings import RATE_HZ, Recorder, Samples, lengths_s
from affect_pipeline.model.batching import BUCKET_STEP_S, OVERLAP_S, plan_windows
from affect_pipeline.model.encoder import AffectConfig, AffectiveEncoder, default_model_dir, tiny_encoder
from affect_pipeline.model.scorer import Scorer

Precision = Literal["float32", "bfloat16"]

SHORTEST_S, LONGEST_S = 5.0, 60.0
BATCHES = (1, 8)
"""Batch sizes of the pipeline: its default, and the usual one."""

PEAK_LOOKS = 3

BASE = "wav2vec2-base size, random weights"
DEFAULT = "default model"


@dataclass(frozen=True)
class Contest:
    """What is compared.

    Parameters
    ----------
    model : str
        Name of the model in the table.
    folder : Path
        Its folder.
    n_journals : int
        Journals of 5 to 60 s.
    """

    model: str
    folder: Path
    n_journals: int


@dataclass(frozen=True)
class Row:
    """One way of scoring the same journals.

    Parameters
    ----------
    model, how : str
        What was scored, by what.
    n_journals : int
        Journals.
    audio_s, seconds : float
        Their length together, and the time it took.
    times_real_time : float
        The ratio of the two.
    times_batched, times_unbatched : float or None
        Throughput against the pipeline with its own batching, and without; none for the pipeline itself.
    share_of_peak : float or None
        Work of the model's products and convolutions a second, against a plain matrix product in that precision.
    """

    model: str
    how: str
    n_journals: int
    audio_s: float
    seconds: float
    times_real_time: float
    times_batched: float | None = None
    times_unbatched: float | None = None
    share_of_peak: float | None = None


def base_model(folder: Path, seed: int = 0) -> Path:
    """Write a model of wav2vec2-base's size with random weights into a folder, and return it."""
    torch.manual_seed(seed)
    AffectiveEncoder(Wav2Vec2Config(), AffectConfig(name="base", pooled_layers=(4, 8, 12))).save(folder)
    return folder


def contests(workspace: Path, n_default: int, n_base: int) -> list[Contest]:
    """Return the default model and one of wav2vec2-base's size; none of the latter if `n_base` is 0."""
    chosen = [Contest(DEFAULT, default_model_dir(), n_default)]
    if n_base:
        chosen.append(Contest(BASE, base_model(workspace / "base"), n_base))
    return chosen


def quick_contests(workspace: Path) -> list[Contest]:
    """Return one contest of a tiny model."""
    tiny_encoder(0).save(workspace / "tiny")
    return [Contest("tiny", workspace / "tiny", 4)]


class Peaks:
    """The best rate of a plain matrix product in each precision: measured again and again, the largest counts.

    Parameters
    ----------
    size : int
        Rows and columns of the matrices.
    """

    def __init__(self, size: int = 2048) -> None:
        self.size = size
        self.gflops: dict[Precision, float] = {"float32": 0.0, "bfloat16": 0.0}
        for _ in range(PEAK_LOOKS):
            for precision in self.gflops:
                self.see(precision)

    def see(self, precision: Precision) -> float:
        """Measure once more; return the best so far, in GFLOP/s."""
        self.gflops[precision] = max(self.gflops[precision], matmul_gflops(precision, n_cores(), self.size))
        return self.gflops[precision]


def compare(
    contest: Contest, seed: int, peaks: Peaks, say: Callable[[str], None] = lambda _: None
) -> tuple[list[Row], float]:
    """Score the same journals in each way.

    Returns
    -------
    tuple
        The rows, and the largest difference that bfloat16 makes to a depression probability.
    """
    audios = list(Recorder(seed).journals(lengths_s(contest.n_journals, SHORTEST_S, LONGEST_S, seed)))
    audio_s = sum(audio.size for audio in audios) / RATE_HZ
    peers = []
    for batch in BATCHES:
        say(f"{contest.model}: pipeline, batches of {batch}")
        peers.append(_row(contest, f"pipeline, batch {batch}", audio_s, _pipeline_s(contest, audios, batch)))
    unbatched_s, batched_s = (peer.seconds for peer in peers)
    ours, scores = [], []
    for precision in ("float32", "bfloat16"):
        say(f"{contest.model}: scorer, {precision}")
        scorer = Scorer(contest.folder, device="cpu", precision=precision)
        scorer.score([audio[: RATE_HZ * 6] for audio in audios[: n_cores()]])
        seconds = seconds_of(lambda scorer=scorer: scores.append(scorer.score(audios)))  # type: ignore[misc]
        share = _work_gflop(scorer, audios) / seconds / peaks.see(precision)
        ours.append(
            _row(contest, f"scorer, {precision}", audio_s, seconds, batched_s / seconds, unbatched_s / seconds, share)
        )
    exact, rounded = ([score.depression_probability for score in made] for made in scores)
    return [*peers, *ours], float(np.abs(np.subtract(exact, rounded)).max())


def run(
    chosen: Sequence[Contest], seed: int, say: Callable[[str], None] = lambda _: None, product_size: int = 2048
) -> dict[str, Any]:
    """Run contests; return rows and what else was seen, as JSON values."""
    rows: list[dict[str, Any]] = []
    moved: dict[str, float] = {}
    peaks = Peaks(product_size)
    for contest in chosen:
        found, moved[contest.model] = compare(contest, seed, peaks, say)
        rows += [asdict(row) for row in found]
    return {"rows": rows, "matmul_gflops": dict(peaks.gflops), "bfloat16_moves_probability": moved}


def _row(
    contest: Contest,
    how: str,
    audio_s: float,
    seconds: float,
    batched: float | None = None,
    unbatched: float | None = None,
    share: float | None = None,
) -> Row:
    return Row(contest.model, how, contest.n_journals, audio_s, seconds, audio_s / seconds, batched, unbatched, share)


def _pipeline_s(contest: Contest, audios: Sequence[Samples], batch: int) -> float:
    """Return the seconds that the pipeline takes."""
    classify = _pipeline(contest.folder)
    inputs = [{"raw": audio, "sampling_rate": RATE_HZ} for audio in audios]
    with torch_threads(n_cores()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        list(classify([dict(one) for one in inputs[:batch]], batch_size=batch))
        return seconds_of(lambda: list(classify([dict(one) for one in inputs], batch_size=batch)))


def _pipeline(folder: Path) -> Any:
    encoder = AffectiveEncoder.load(folder)
    config = encoder.config
    config.num_labels = 3
    peer: Any = Wav2Vec2ForSequenceClassification(config)
    peer.wav2vec2 = encoder.wav2vec2  # with the positions that it was trained with
    extractor_of, pipeline_of = cast(Any, Wav2Vec2FeatureExtractor), cast(Any, AudioClassificationPipeline)
    extractor = extractor_of(
        feature_size=1, sampling_rate=RATE_HZ, padding_value=0.0, do_normalize=True,
        return_attention_mask=config.feat_extract_norm == "layer",
    )  # fmt: skip
    return pipeline_of(model=peer.eval(), feature_extractor=extractor, device="cpu")


def _work_gflop(scorer: Scorer, audios: Sequence[Samples]) -> float:
    """Count what the encoder's products and convolutions cost over all windows, padding included."""
    rate = scorer.affect.sampling_rate_hz
    shape = [round(seconds * rate) for seconds in (scorer.affect.window_s, OVERLAP_S, BUCKET_STEP_S)]
    windows = [window.length for audio in audios for window in plan_windows(audio.size, *shape)]
    return math.fsum(windows.count(length) * _window_gflop(scorer, length) for length in sorted(set(windows)))


def _window_gflop(scorer: Scorer, length: int) -> float:
    # Attention counts as the two products it is made of.
    attention = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with FlopCounterMode(display=False) as counter, attention, torch.inference_mode():
        scorer.encoder(torch.zeros(1, length), torch.tensor([length]))
    return float(counter.get_total_flops()) / 1e9


def temporary() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for models that goes away."""
    return tempfile.TemporaryDirectory(prefix="affect-bench-")
