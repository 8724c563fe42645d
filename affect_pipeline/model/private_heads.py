"""Linear heads by gradient descent under differential privacy (DP-SGD, Abadi et al. 2016), with Opacus.

The unit of privacy is one speaker with all recordings: a sample is a speaker, its loss the mean over that speaker's
windows, so that Opacus clips and hides each speaker's gradient as a whole. Speakers are few, so every step sees all of
them (no sampling to account for), and what a step reveals is hidden by noise that no seed of a plan gives away.
"""

from __future__ import annotations

import math
import secrets
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from affect_pipeline.errors import SettingsError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PrivatePlan:
    """How private heads are fitted; the defaults were chosen on a public corpus (RAVDESS), as choices must be.

    Parameters
    ----------
    epsilon, delta : float
        What a speaker may lose at most.
    steps : int
        Steps of gradient descent, each over all speakers.
    learning_rate : float
        Of the descent, on features divided by the root of their number.
    clip : float
        Longest gradient of a speaker.
    most_windows : int
        Windows of a speaker that count at most; more are drawn by `seed`.
    seed : int
        Of that draw and of augmentation. Noise has no seed that is kept.
    """

    epsilon: float
    delta: float = 1e-5
    steps: int = 60
    learning_rate: float = 10.0
    clip: float = 0.03
    most_windows: int = 400
    seed: int = 7


@dataclass(frozen=True)
class Speakers:
    """One sample a speaker.

    Parameters
    ----------
    features : Tensor, shape (S, W, E)
        Standardised embeddings, with statistics of other data; zero where a speaker has fewer windows.
    answers : Tensor, shape (S, W, T)
        1, 0 or NaN.
    """

    features: Tensor
    answers: Tensor


@dataclass(frozen=True)
class PrivateHeads:
    """Heads and what they cost.

    Parameters
    ----------
    weights, bias : ndarray, shapes (T, E) and (T,)
        On standardised embeddings.
    epsilon, delta : float
        What the accountant says a speaker lost.
    noise_multiplier : float
        Noise of a step over the longest gradient of a speaker.
    """

    weights: Array
    bias: Array
    epsilon: float
    delta: float
    noise_multiplier: float


def by_speaker(features: Array, answers: Array, group: NDArray[np.str_], plan: PrivatePlan) -> Speakers:
    """Gather windows (W, E) and their answers (W, T) by speaker; those without any answer are left out."""
    asked = ~np.isnan(answers).all(1)
    names = np.unique(group[asked])
    rng = np.random.default_rng(plan.seed)
    rows = [rng.permutation(np.flatnonzero(asked & (group == name)))[: plan.most_windows] for name in names]
    width = max((len(mine) for mine in rows), default=0)
    x = np.zeros((len(rows), width, features.shape[1]), np.float32)
    y = np.full((len(rows), width, answers.shape[1]), np.nan, np.float32)
    for number, mine in enumerate(rows):
        x[number, : len(mine)], y[number, : len(mine)] = features[mine], answers[mine]
    return Speakers(torch.from_numpy(x), torch.from_numpy(y))


def fit_private_heads(
    speakers: Speakers,
    plan: PrivatePlan,
    start: tuple[Array, Array] | None = None,
    noise: torch.Generator | None = None,
) -> PrivateHeads:
    """Fit heads by DP-SGD.

    Parameters
    ----------
    speakers : Speakers
        The private data.
    plan : PrivatePlan
        Price and course.
    start : (weights, bias), optional
        Where the descent starts, from other data; zeros by default.
    noise : torch.Generator, optional
        Where noise comes from; by default one that the operating system seeded and nobody can repeat.

    Raises
    ------
    SettingsError
        If Opacus is not installed, or the price cannot be met.
    """
    n, _, size = speakers.features.shape
    n_tasks = speakers.answers.shape[2]
    scale = math.sqrt(size)
    head = nn.Linear(size, n_tasks)
    with torch.no_grad():
        weights, bias = start or (np.zeros((n_tasks, size)), np.zeros(n_tasks))
        head.weight.copy_(torch.from_numpy(weights * scale))
        head.bias.copy_(torch.from_numpy(bias))
    generator = noise or torch.Generator().manual_seed(secrets.randbits(63))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Opacus says that its noise is no cryptographer's; so does the documentation
        multiplier = noise_multiplier(plan)
        engine, private, optimizer = _make_private(head, n, plan, multiplier, generator)
        x = speakers.features / scale
        for _ in range(plan.steps):
            optimizer.zero_grad()
            loss: Any = speaker_losses(private(x), speakers.answers).mean()
            loss.backward()
            optimizer.step()
        spent = float(engine.get_epsilon(plan.delta))
    found = head.weight.detach().double().numpy() / scale
    return PrivateHeads(found, head.bias.detach().double().numpy(), spent, plan.delta, multiplier)


def speaker_losses(logits: Tensor, answers: Tensor) -> Tensor:
    """Return each speaker's loss (S,): cross-entropy, yes and no alike, averaged over the tasks that were answered.

    Classes are balanced within a speaker only: their shares over all speakers would be another thing to hide.
    """
    each = functional.binary_cross_entropy_with_logits(logits, answers.nan_to_num(0.0), reduction="none")
    means, present = [], []
    for said in (0.0, 1.0):
        mine = (answers == said).to(each.dtype)
        n = mine.sum(1)
        means.append((each * mine).sum(1) / n.clamp(min=1))
        present.append((n > 0).to(each.dtype))
    classes = present[0] + present[1]
    by_task = (means[0] + means[1]) / classes.clamp(min=1)
    answered = (classes > 0).to(each.dtype)
    return (by_task * answered).sum(1) / answered.sum(1).clamp(min=1)


def noise_multiplier(plan: PrivatePlan) -> float:
    """Return the noise that the price asks for, by Opacus' accountant.

    Raises
    ------
    SettingsError
        If Opacus is not installed, or no noise would do.
    """
    try:
        from opacus.accountants.utils import get_noise_multiplier
    except ImportError:
        raise SettingsError(
            "training with differential privacy needs Opacus: `pip install 'affect-pipeline[training]'`"
        ) from None
    try:
        return float(
            get_noise_multiplier(
                target_epsilon=plan.epsilon,
                target_delta=plan.delta,
                sample_rate=1.0,
                steps=plan.steps,
                accountant="rdp",
            )
        )
    except ValueError as error:
        raise SettingsError(f"epsilon {plan.epsilon:g} at delta {plan.delta:g} cannot be met: {error}") from None


def _make_private(
    head: nn.Linear, n_speakers: int, plan: PrivatePlan, multiplier: float, generator: torch.Generator
) -> tuple[Any, Any, Any]:
    from opacus import PrivacyEngine
    from torch.utils.data import DataLoader, TensorDataset

    engine = PrivacyEngine(accountant="rdp")
    # One batch of everybody: the loader tells the accountant that each speaker is in each step.
    everybody = DataLoader(TensorDataset(torch.arange(n_speakers)), batch_size=n_speakers)
    private, optimizer, _ = engine.make_private(
        module=head,
        optimizer=torch.optim.SGD(head.parameters(), plan.learning_rate),
        data_loader=everybody,
        noise_multiplier=multiplier,
        max_grad_norm=plan.clip,
        poisson_sampling=False,
        noise_generator=generator,
    )
    return engine, private, optimizer
