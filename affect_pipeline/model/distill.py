"""Distillation: a small Wav2Vec 2.0 learns to say, frame by frame, what a teacher says, and to hear prosody.

The student sees augmented audio; its targets are the teacher's frames of the clean recording and the prosody
(`affect_pipeline.model.prosody`) of the clean audio at the student's speed. The batch of a step is a function of
(seed, step), so a run that was killed and resumed ends with the same weights as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from affect_pipeline.model.augment import AugmentPlan
from affect_pipeline.model.distill_data import Batch, DistillData
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.pooling import frame_mask, unit_power
from affect_pipeline.model.prosody import FRAME_NAMES, VOICED_ONLY, VOICED_STRENGTH, Prosody
from affect_pipeline.model.student import new_student
from affect_pipeline.model.train_state import descend, load_state, save_state

PROSODY_LAYER = 3


@dataclass(frozen=True)
class DistillPlan:
    """Everything that decides the outcome of a distillation, beside the recordings."""

    steps: int = 2600
    seconds_per_batch: float = 40.0
    crop_s: tuple[float, ...] = (2.0, 3.0, 3.0, 4.0)
    learning_rate: float = 1e-3
    warmup: int = 150
    decay_share: float = 0.35
    weight_decay: float = 0.02
    prosody_weight: float = 0.6
    pooled_weight: float = 1.0
    seed: int = 7
    checkpoint_every: int = 250
    standardise_s: float = 600.0
    bf16: bool = True
    augment: AugmentPlan = field(default_factory=AugmentPlan)


class DistillHeads(nn.Module):
    """Projections that only distillation needs: to the teacher's frames and to prosody."""

    def __init__(self, hidden: int, teacher_width: int) -> None:
        super().__init__()
        self.teacher = nn.Sequential(nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, teacher_width))
        self.prosody = nn.Linear(hidden, len(FRAME_NAMES))
        self.register_buffer("teacher_mean", torch.zeros(teacher_width))
        self.register_buffer("teacher_sd", torch.ones(teacher_width))
        self.register_buffer("prosody_mean", torch.zeros(len(FRAME_NAMES)))
        self.register_buffer("prosody_sd", torch.ones(len(FRAME_NAMES)))
        self.teacher_mean: Tensor
        self.teacher_sd: Tensor
        self.prosody_mean: Tensor
        self.prosody_sd: Tensor


class Distillation(nn.Module):
    """A student with its distillation heads and their losses."""

    def __init__(self, student: AffectiveEncoder, teacher_width: int) -> None:
        super().__init__()
        self.student = student
        self.heads = DistillHeads(student.config.hidden_size, teacher_width)
        self.prosody = Prosody()

    def standardise_to(self, batch: Batch) -> None:
        """Take the means and spreads of targets from a (large) batch."""
        targets = self._targets(batch)
        inside = targets.mask.float()[..., None]
        for name, values in (("teacher", targets.teacher), ("prosody", targets.prosody)):
            mean = (values * inside).sum((0, 1)) / inside.sum()
            sd = (((values - mean).square() * inside).sum((0, 1)) / inside.sum()).sqrt() + 1e-3
            getattr(self.heads, f"{name}_mean").copy_(mean)
            getattr(self.heads, f"{name}_sd").copy_(sd)

    def forward(self, batch: Batch, plan: DistillPlan) -> dict[str, Tensor]:
        """Return the losses of a batch: ``teacher``, ``pooled``, ``prosody`` and their weighted sum ``total``."""
        targets = self._targets(batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            states, mask = self.student.frames(batch.heard, batch.lengths)
            said = self.heads.teacher(functional.layer_norm(states[-1], states[-1].shape[-1:]))
            layer = min(PROSODY_LAYER, len(states) - 1)
            heard = self.heads.prosody(functional.layer_norm(states[layer], states[layer].shape[-1:]))
        n = min(mask.shape[1], targets.mask.shape[1])
        inside = (mask[:, :n] & targets.mask[:, :n]).float()
        losses = self._teacher_losses(said[:, :n].float(), targets.teacher[:, :n], inside)
        losses["prosody"] = self._prosody_loss(heard[:, :n].float(), targets.prosody[:, :n], inside)
        losses["total"] = (
            losses["teacher"] + plan.pooled_weight * losses["pooled"] + plan.prosody_weight * losses["prosody"]
        )
        return losses

    def _teacher_losses(self, said: Tensor, frames: Tensor, inside: Tensor) -> dict[str, Tensor]:
        wanted = ((frames - self.heads.teacher_mean) / self.heads.teacher_sd).clamp(-5, 5)
        cosine = 1 - functional.cosine_similarity(said, wanted, dim=-1)
        distance = functional.smooth_l1_loss(said, wanted, reduction="none").mean(-1)
        per_frame = ((cosine + distance) * inside).sum() / inside.sum()
        weights = inside[..., None] / inside.sum(1)[:, None, None].clamp(min=1)
        pooled = functional.mse_loss((said * weights).sum(1), (wanted * weights).sum(1))
        return {"teacher": per_frame, "pooled": pooled, "cosine": ((cosine * inside).sum() / inside.sum()).detach()}

    def _prosody_loss(self, heard: Tensor, frames: Tensor, inside: Tensor) -> Tensor:
        wanted = ((frames - self.heads.prosody_mean) / self.heads.prosody_sd).clamp(-5, 5)
        voiced = inside * (frames[..., 1] > VOICED_STRENGTH)
        only = torch.tensor([name in VOICED_ONLY for name in FRAME_NAMES])
        weights = torch.where(only, voiced[..., None], inside[..., None])
        return (functional.smooth_l1_loss(heard, wanted, reduction="none") * weights).sum() / weights.sum()

    def _targets(self, batch: Batch) -> Targets:
        with torch.no_grad():
            prosody = self.prosody.frames(unit_power(batch.clean, batch.lengths))
        n = min(prosody.shape[1], batch.teacher.shape[1])
        mask = frame_mask(self.prosody.n_frames(batch.lengths), n) & frame_mask(batch.n_teacher, n)
        return Targets(batch.teacher[:, :n], prosody[:, :n], mask)


@dataclass(frozen=True)
class Targets:
    """What the student should say: (B, F, width), (B, F, P), and the frames (B, F) that count."""

    teacher: Tensor
    prosody: Tensor
    mask: Tensor


def learning_rate(plan: DistillPlan, step: int) -> float:
    """Return the rate of a step: warm-up, constant, then linear decay over the last ``decay_share``."""
    tail = plan.decay_share * plan.steps
    return plan.learning_rate * min(1.0, (step + 1) / plan.warmup, max(0.01, (plan.steps - step) / tail))


def distill(
    data: DistillData,
    plan: DistillPlan,
    folder: Path,
    report: Callable[[int, dict[str, float]], None] | None = None,
    start_from: Callable[[], AffectiveEncoder] = new_student,
) -> AffectiveEncoder:
    """Train a student, or go on with the run that lies in ``folder``.

    Parameters
    ----------
    data : DistillData
        Recordings with their teacher frames.
    plan : DistillPlan
        How to train.
    folder : Path
        Checkpoints go here (safetensors and JSON).
    report : callable, optional
        Told the step and its losses after every step.
    start_from : callable
        Makes the untrained student; called under the plan's seed.

    Returns
    -------
    AffectiveEncoder
        The student, with heads that know nothing yet.
    """
    torch.manual_seed(plan.seed)
    model = Distillation(start_from(), data.teacher_width)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, plan.learning_rate, (0.9, 0.98), weight_decay=plan.weight_decay)
    start = load_state(folder, model, optimizer)
    if start == 0:
        large = replace(plan, seconds_per_batch=plan.standardise_s, augment=AugmentPlan(speed=0.0))
        model.standardise_to(data.batch(large, step=-1))
    model.train()
    for step in range(start, plan.steps):
        losses = _step(model, optimizer, data.batch(plan, step), plan, step)
        if report is not None:
            report(step, losses)
        if (step + 1) % plan.checkpoint_every == 0 or step + 1 == plan.steps:
            save_state(folder, model, optimizer, step + 1)
    return model.student.eval()


def _step(
    model: Distillation, optimizer: torch.optim.Optimizer, batch: Batch, plan: DistillPlan, step: int
) -> dict[str, float]:
    torch.manual_seed(plan.seed * 1_000_003 + step)  # dropout, too, is a function of the step
    return descend(model, optimizer, model(batch, plan), learning_rate(plan, step))
