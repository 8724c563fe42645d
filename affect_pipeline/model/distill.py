"""Distillation: a small Wav2Vec 2.0 learns to have the hidden states that a teacher has in its first layers.

The student hears augmented audio; its targets are the teacher's states of the clean audio, frame by frame, and their
mean and spread over the frames, which is what heads read. It starts close to them (see
`affect_pipeline.model.student`), and learns to do with fewer units and to hear through noise. The batch of a step is
a function of (seed, step), so a run that was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from affect_pipeline.model.augment import AugmentPlan
from affect_pipeline.model.distill_data import Batch, DistillData
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.front_end import LEVEL
from affect_pipeline.model.pooling import frame_mask, unit_power
from affect_pipeline.model.student import new_student
from affect_pipeline.model.teacher import Teacher
from affect_pipeline.model.train_state import descend, load_state, save_state

FARTHEST_SD = 5.0
"""Targets are clipped to this many SDs: a Whisper's states have a few dimensions that dwarf all others."""


@dataclass(frozen=True)
class DistillPlan:
    """Everything that decides the outcome of a distillation, beside the recordings.

    Parameters
    ----------
    steps, cycles : int
        Batches, and the number of times that the learning rate rises and falls over them (warm restarts, Loshchilov
        and Hutter 2017).
    seconds_per_batch : float
        Audio of a step.
    crop_s : tuple of float
        Lengths of crops, drawn for each step.
    learning_rate, warmup, decay_share, weight_decay
        Of AdamW: in each cycle the rate warms up over `warmup` steps and falls to nothing over its last `decay_share`.
    layer_weights : tuple of float
        Of the teacher's states, from the input of its first layer on, in the loss.
    pooled_weight : float
        Of the mean and spread over frames beside the frames themselves.
    seed, checkpoint_every : int
        Of all draws; steps between checkpoints.
    standardise_s : float
        Audio from which the means and spreads of targets are taken.
    bf16 : bool
        Whether products are in bfloat16.
    augment : AugmentPlan
        What the student's audio goes through.
    """

    steps: int = 3000
    cycles: int = 2
    seconds_per_batch: float = 40.0
    crop_s: tuple[float, ...] = (1.5, 2.0, 3.0, 4.0, 5.0)
    learning_rate: float = 3e-4
    warmup: int = 100
    decay_share: float = 0.5
    weight_decay: float = 0.01
    layer_weights: tuple[float, ...] = (0.5, 0.5, 1.0, 1.0)
    pooled_weight: float = 2.0
    seed: int = 7
    checkpoint_every: int = 250
    standardise_s: float = 300.0
    bf16: bool = True
    augment: AugmentPlan = field(default_factory=AugmentPlan)


@dataclass(frozen=True)
class Targets:
    """What a student hears and should say: audio (B, T), lengths (B,), states (B, F, H) of each layer, mask (B, F)."""

    heard: Tensor
    lengths: Tensor
    states: tuple[Tensor, ...]
    mask: Tensor


class Distillation(nn.Module):
    """A student, how its states are judged, and the scale of its teacher's."""

    def __init__(self, student: AffectiveEncoder, teacher_width: int, n_states: int) -> None:
        super().__init__()
        self.student = student
        hidden = student.config.hidden_size
        same = hidden == teacher_width
        self.heads = nn.ModuleList(
            [nn.Identity() if same else nn.Linear(hidden, teacher_width) for _ in range(n_states)]
        )
        self.register_buffer("mean", torch.zeros(n_states, teacher_width))
        self.register_buffer("sd", torch.ones(n_states, teacher_width))
        self.mean: Tensor
        self.sd: Tensor

    def standardise_to(self, targets: Targets) -> None:
        """Take the means and spreads of the teacher's states from a (large) batch."""
        for i, state in enumerate(targets.states):
            frames = _normed(state)[targets.mask]
            self.mean[i], self.sd[i] = frames.mean(0), frames.std(0) + 1e-3

    def forward(self, targets: Targets, plan: DistillPlan) -> dict[str, Tensor]:
        """Return the losses of a batch: ``frames``, ``pooled``, their weighted sum ``total``, and ``cosine``."""
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            states, mask = self.student.frames(targets.heard, targets.lengths)
        n = min(mask.shape[1], targets.mask.shape[1])
        inside = (mask[:, :n] & targets.mask[:, :n]).float()
        frames, pooled, cosine = [], [], torch.tensor(0.0)
        for i, weight in enumerate(plan.layer_weights):
            said = self._scaled(self.heads[i](_normed(states[i][:, :n])), i)
            wanted = self._scaled(_normed(targets.states[i][:, :n]), i).clamp(-FARTHEST_SD, FARTHEST_SD)
            distance = functional.smooth_l1_loss(said, wanted, reduction="none").mean(-1)
            apart = 1 - functional.cosine_similarity(said, wanted, dim=-1)
            cosine = ((apart * inside).sum() / inside.sum()).detach()
            frames.append(weight * ((apart + distance) * inside).sum() / inside.sum())
            pooled.append(weight * functional.mse_loss(_pooled(said, inside), _pooled(wanted, inside)))
        losses = {"frames": torch.stack(frames).sum(), "pooled": torch.stack(pooled).sum()}
        return losses | {"total": losses["frames"] + plan.pooled_weight * losses["pooled"], "cosine": cosine}

    def _scaled(self, values: Tensor, i: int) -> Tensor:
        return (values - self.mean[i]) / self.sd[i]


def _normed(state: Tensor) -> Tensor:
    """Return states as pooling reads them: normed over their dimensions."""
    return functional.layer_norm(state.float(), state.shape[-1:])


def _pooled(values: Tensor, inside: Tensor) -> Tensor:
    weights = inside[..., None] / inside.sum(1)[:, None, None].clamp(min=1)
    mean = (values * weights).sum(1)
    spread = (((values - mean[:, None]).square() * weights).sum(1) + 1e-4).sqrt()
    return torch.cat([mean, spread], -1)


def learning_rate(plan: DistillPlan, step: int) -> float:
    """Return the rate of a step: in each cycle warm-up, constant, then linear decay over its last ``decay_share``."""
    length = -(-plan.steps // plan.cycles)
    since = step % length
    falling = (length - since) / (plan.decay_share * length)
    return plan.learning_rate * min(1.0, (since + 1) / plan.warmup, max(0.01, falling))


def distill(
    data: DistillData,
    teacher: Teacher,
    plan: DistillPlan,
    folder: Path,
    report: Callable[[int, dict[str, float]], None] | None = None,
    start_from: Callable[[Teacher, Tensor], AffectiveEncoder] = new_student,
) -> AffectiveEncoder:
    """Train a student, or go on with the run that lies in ``folder``.

    Parameters
    ----------
    data : DistillData
        Recordings.
    teacher : Teacher
        Whose states are learnt.
    plan : DistillPlan
        How to train.
    folder : Path
        Checkpoints go here (safetensors and JSON).
    report : callable, optional
        Told the step and its losses after every step.
    start_from : callable
        Makes the student from the teacher and some speech; called under the plan's seed.

    Returns
    -------
    AffectiveEncoder
        The student, with heads that know nothing yet.
    """
    torch.manual_seed(plan.seed)
    large = replace(plan, seconds_per_batch=plan.standardise_s, augment=AugmentPlan(speed=0.0))
    usual = hear(data.batch(large, step=-1), teacher, large)
    student = start_from(teacher, _as_taught(usual.heard, usual.lengths))
    model = Distillation(student, teacher.width, len(plan.layer_weights))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, plan.learning_rate, (0.9, 0.98), weight_decay=plan.weight_decay)
    start = load_state(folder, model, optimizer)
    if start == 0:
        model.standardise_to(usual)
    model.train()
    for step, targets in _ahead(data, teacher, plan, start):
        torch.manual_seed(plan.seed * 1_000_003 + step)  # dropout, too, is a function of the step
        losses = descend(model, optimizer, model(targets, plan), learning_rate(plan, step))
        if report is not None:
            report(step, losses)
        if (step + 1) % plan.checkpoint_every == 0 or step + 1 == plan.steps:
            save_state(folder, model, optimizer, step + 1)
    return model.student.eval()


def hear(batch: Batch, teacher: Teacher, plan: DistillPlan) -> Targets:
    """Return a batch with the teacher's states of its clean audio, frame by frame beside the student's."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
        states = teacher.states(_as_taught(batch.clean, batch.lengths), len(plan.layer_weights) - 1)
    beside = tuple(state[:, teacher.ahead :].float().clone() for state in states)
    n_frames = batch.lengths // 320 - teacher.ahead
    return Targets(batch.heard, batch.lengths, beside, frame_mask(n_frames, beside[0].shape[1]))


def _as_taught(waves: Tensor, lengths: Tensor) -> Tensor:
    return unit_power(waves, lengths) * LEVEL


def _ahead(data: DistillData, teacher: Teacher, plan: DistillPlan, start: int) -> Iterator[tuple[int, Targets]]:
    """Yield steps and what is learnt in them; the next one is prepared while the last one is learnt."""
    with ThreadPoolExecutor(1, "teacher", torch.set_num_threads, (torch.get_num_threads(),)) as pool:

        def prepare(step: int) -> Targets:
            return hear(data.batch(plan, step), teacher, plan)

        coming = pool.submit(prepare, start) if start < plan.steps else None
        for step in range(start, plan.steps):
            assert coming is not None
            targets = coming.result()
            coming = pool.submit(prepare, step + 1) if step + 1 < plan.steps else None
            yield step, targets
