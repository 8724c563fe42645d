"""Fine-tuning of the encoder with labels: depression, valence and arousal together, emotion words as a helper.

Some speakers of every corpus are held out: no recording of theirs is ever in a batch, and figures of the tuned model
are of those speakers only. The heads that are trained here are thrown away; `affect_pipeline.model.train` fits the
ones that are kept. The batch of a step is a function of (seed, step), so a run that was killed and resumed ends with
the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from affect_pipeline.acoustics.preprocessing import normalise
from affect_pipeline.errors import CorpusError
from affect_pipeline.model.augment import AugmentPlan, augment
from affect_pipeline.model.corpora import EMOTIONS, TESTING_ONLY, Recording
from affect_pipeline.model.embed import LEAST_SPEECH_S, RATE_HZ, front_digest, prepared_voice
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.heads import TASKS, answers
from affect_pipeline.model.train import has_answer, speaker_key
from affect_pipeline.model.train_state import descend, load_state, save_state

CURVE_FILE = "curve.json"


@dataclass(frozen=True)
class FineTunePlan:
    """Everything that decides the outcome of a fine-tuning, beside the encoder and the recordings.

    Parameters
    ----------
    steps, batch, crop_s : int, int, float
        How many batches, of how many crops of at most how many seconds.
    learning_rate, warmup, weight_decay : float, int, float
        Of AdamW; the rate falls linearly to zero after the warm-up.
    emotion_weight : float
        Weight of the cross-entropy of emotion words beside the three tasks.
    held_out_share : float
        Share of each corpus' speakers that the encoder never meets; at least one.
    checkpoint_every, seed : int
        As they say.
    bf16 : bool
        Compute in bfloat16 where that is safe: faster on CPUs that have it.
    augment : AugmentPlan
        What is done to the crops.
    """

    steps: int = 400
    batch: int = 16
    crop_s: float = 3.0
    learning_rate: float = 1e-4
    warmup: int = 20
    weight_decay: float = 0.01
    emotion_weight: float = 0.5
    held_out_share: float = 1 / 6
    checkpoint_every: int = 50
    seed: int = 7
    bf16: bool = False
    augment: AugmentPlan = field(default_factory=AugmentPlan)


@dataclass(frozen=True)
class FineTuned:
    """A tuned encoder, the loss of each step by name, and the speakers (`speaker_key`) that it never met, by corpus."""

    encoder: AffectiveEncoder
    curve: dict[str, list[float]]
    held_out: dict[str, list[str]]


@dataclass(frozen=True)
class Batch:
    """Crops (B, T) with their lengths (B,), answers (B, 3) with NaN for none, emotions (B,) with -1 for none.

    `rows` says which recordings of the data they are of.
    """

    waves: Tensor
    lengths: Tensor
    answers: Tensor
    emotions: Tensor
    rows: tuple[int, ...]


class FineTuneData:
    """Prepared voices of the speakers that the encoder may meet, in memory.

    Parameters
    ----------
    recordings : sequence of Recording
        Labelled; those without speech are left out.
    done : callable, optional
        Called after each recording that was read.
    """

    def __init__(self, recordings: Sequence[Recording], done: Callable[[], None] | None = None) -> None:
        kept: list[Recording] = []
        self._voices: list[NDArray[np.float32]] = []
        for recording in recordings:
            voice = prepared_voice(recording)
            if voice.size >= LEAST_SPEECH_S * RATE_HZ:
                kept.append(recording)
                self._voices.append(voice)
            if done is not None:
                done()
        if not kept:
            raise CorpusError("no labelled recording is left to tune the encoder with, beside the speakers held out")
        self.recordings = tuple(kept)
        self.answers = np.stack([answers(kept, task) for task in TASKS], 1)
        self._emotions = np.array([EMOTIONS.index(r.emotion) if r.emotion else -1 for r in kept])
        _, speaker, counts = np.unique(
            [f"{r.corpus}/{r.speaker}" for r in kept], return_inverse=True, return_counts=True
        )
        self._chances = 1.0 / (counts[speaker] * len(counts))

    def class_weights(self) -> NDArray[np.float64]:
        """Return weights (3, 2) of the answers no and yes that make both count the same over the data."""
        yes = np.nansum(self.answers, 0)
        no = np.sum(~np.isnan(self.answers), 0) - yes
        return np.stack([(yes + no) / np.maximum(2 * n, 1) for n in (no, yes)], 1)

    def batch(self, plan: FineTunePlan, step: int) -> Batch:
        """Return the batch of a step, a function of (plan.seed, step); every speaker is drawn equally often."""
        rng = np.random.default_rng((plan.seed, step))
        rows = rng.choice(len(self.recordings), plan.batch, p=self._chances)
        crop = int(plan.crop_s * RATE_HZ)
        waves, lengths = np.zeros((plan.batch, crop), np.float32), np.zeros(plan.batch, np.int64)
        for i, row in enumerate(rows):
            voice = self._voices[row]
            start = int(rng.integers(0, max(1, voice.size - crop + 1)))
            heard = normalise(augment(voice[start : start + crop], rng, plan.augment))
            waves[i, : heard.size], lengths[i] = heard, heard.size
        return Batch(
            torch.from_numpy(waves),
            torch.from_numpy(lengths),
            torch.from_numpy(self.answers[rows].astype(np.float32)),
            torch.from_numpy(self._emotions[rows]),
            tuple(int(row) for row in rows),
        )


class FineTuning(nn.Module):
    """An encoder with heads that only its tuning needs."""

    def __init__(self, encoder: AffectiveEncoder, class_weights: NDArray[np.float64]) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        encoder.wav2vec2.requires_grad_(True)
        encoder.wav2vec2.feature_extractor.requires_grad_(False)
        width = encoder.pooling.width(encoder.config.hidden_size)
        self.norm = nn.LayerNorm(width)
        self.tasks, self.emotions = nn.Linear(width, len(TASKS)), nn.Linear(width, len(EMOTIONS))
        self.register_buffer("class_weights", torch.from_numpy(class_weights.astype(np.float32)), persistent=False)
        self.class_weights: Tensor

    def forward(self, batch: Batch, plan: FineTunePlan) -> dict[str, Tensor]:
        """Return the losses of a batch: one for each task, ``emotion`` and their weighted sum ``total``."""
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            states, mask = self.encoder.frames(batch.waves, batch.lengths)
        pooled = self.norm(self.encoder.pooling(tuple(state.float() for state in states), mask))
        said, losses = self.tasks(pooled), {}
        for index, task in enumerate(TASKS):
            known = ~batch.answers[:, index].isnan()
            truth = batch.answers[known, index]
            weights = self.class_weights[index, truth.long()]
            each = functional.binary_cross_entropy_with_logits(said[known, index], truth, weights, reduction="sum")
            losses[task.name] = each / len(batch.answers)
        words = functional.cross_entropy(self.emotions(pooled), batch.emotions, ignore_index=-1, reduction="sum")
        losses["emotion"] = words / len(batch.answers)
        losses["total"] = sum((losses[t.name] for t in TASKS), plan.emotion_weight * losses["emotion"])
        return losses


def fine_tune(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    plan: FineTunePlan,
    work: Path,
    report: Callable[[int, dict[str, float]], None] | None = None,
    done: Callable[[], None] | None = None,
) -> FineTuned:
    """Tune an encoder with labels, or go on with the run of the same plan, encoder and recordings.

    Parameters
    ----------
    encoder : AffectiveEncoder
        Changed in place; its heads are not used.
    corpora : sequence of sequences of Recording
        Labelled ones teach; others are passed over.
    plan : FineTunePlan
        How to tune.
    work : Path
        Folder for checkpoints (safetensors and JSON).
    report : callable, optional
        Told the step and its losses after every step.
    done : callable, optional
        Called after each recording that was read.

    Raises
    ------
    CorpusError
        If there is nothing to learn from, or a corpus is for testing only.
    """
    taught, held_out = split_speakers(corpora, plan)
    folder = work / "fine-tuning" / _key(encoder, taught, plan)
    data = FineTuneData(taught, done)
    torch.manual_seed(plan.seed)
    # Evaluation mode: with so little labelled speech augmentation regularises, and a step depends on nothing drawn.
    model = FineTuning(encoder, data.class_weights()).eval()
    tuned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(tuned, plan.learning_rate, weight_decay=plan.weight_decay)
    start = load_state(folder, model, optimizer)
    curve = _read_curve(folder, start)
    for step in range(start, plan.steps):
        losses = _step(model, optimizer, data.batch(plan, step), plan, step)
        for name, value in losses.items():
            curve.setdefault(name, []).append(value)
        if report is not None:
            report(step, losses)
        if (step + 1) % plan.checkpoint_every == 0 or step + 1 == plan.steps:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CURVE_FILE).write_text(json.dumps(curve))  # before the state: a curve that is too long is cut
            save_state(folder, model, optimizer, step + 1)
    about = {"plan": asdict(plan), "held_out": held_out}
    encoder.affect = replace(encoder.affect, training={**encoder.affect.training, "fine_tuning": about})
    return FineTuned(encoder.eval().requires_grad_(False), curve, held_out)


def split_speakers(
    corpora: Sequence[Sequence[Recording]], plan: FineTunePlan
) -> tuple[list[Recording], dict[str, list[str]]]:
    """Return the recordings that may teach, and the keys of the speakers held out, by corpus.

    Where a corpus has an official split, everybody outside its training part is held out, else a seeded draw.

    Raises
    ------
    CorpusError
        If a corpus is for testing only.
    """
    taught: list[Recording] = []
    held_out: dict[str, list[str]] = {}
    for corpus in corpora:
        labelled = [r for r in corpus if has_answer(r)]
        if not labelled:
            continue
        name = labelled[0].corpus
        if name in TESTING_ONLY:
            raise CorpusError(f"{name} is for testing only: give it to `affect model evaluate`")
        official = {r.speaker for r in labelled if r.split not in (None, "train")}
        speakers = np.unique([r.speaker for r in labelled])
        n = max(1, round(plan.held_out_share * len(speakers)))
        spared = official or set(np.random.default_rng(plan.seed).permutation(speakers)[:n].tolist())
        taught += [r for r in labelled if r.speaker not in spared]
        held_out[name] = sorted({speaker_key(r) for r in labelled if r.speaker in spared})
    return taught, held_out


def learning_rate(plan: FineTunePlan, step: int) -> float:
    """Return the rate of a step: warm-up, then linear decay."""
    left = (plan.steps - step) / max(1, plan.steps - plan.warmup)
    return plan.learning_rate * min(1.0, (step + 1) / max(1, plan.warmup), left)


def _step(
    model: FineTuning, optimizer: torch.optim.Optimizer, batch: Batch, plan: FineTunePlan, step: int
) -> dict[str, float]:
    return descend(model, optimizer, model(batch, plan), learning_rate(plan, step))


def _key(encoder: AffectiveEncoder, taught: Sequence[Recording], plan: FineTunePlan) -> str:
    digest = hashlib.sha256(repr((plan, front_digest(encoder))).encode())
    for r in taught:
        digest.update(f"{r.corpus}|{r.speaker}|{r.path.name}|{[answers([r], task)[0] for task in TASKS]}".encode())
    return digest.hexdigest()[:24]


def _read_curve(folder: Path, n_steps: int) -> dict[str, list[float]]:
    path = folder / CURVE_FILE
    found = json.loads(path.read_text()) if n_steps and path.exists() else {}
    return {str(name): [float(v) for v in values[:n_steps]] for name, values in found.items()}
