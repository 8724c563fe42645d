"""Judging a model whose depression head is a questionnaire's: participants of official parts that taught nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.depression.experts import DepressionPlan, present
from affect_pipeline.model.depression.figures import ParticipantFigures, Said, participant_figures, systems_of
from affect_pipeline.model.depression.fusion import LARGEST_PHQ8, Fusion
from affect_pipeline.model.depression.participants import VOICE, Participants, gather
from affect_pipeline.model.encoder import AffectiveEncoder

Array = NDArray[np.float64]
JUDGED_PARTS = ("dev", "test")


def say(
    encoder: AffectiveEncoder, fusion: Fusion | None, people: Participants, modalities: Sequence[str]
) -> tuple[Array, Array]:
    """Return calibrated log-odds (N,) and the PHQ-8 (N,) in 0 to 24 of participants.

    Parameters
    ----------
    encoder : AffectiveEncoder
        With a head for the PHQ-8. Somebody who says nothing gets the answer of the average participant.
    fusion : Fusion, optional
        What other modalities add.
    people : Participants
        Their features.
    modalities : sequence of str
        Which of them count; others are taken for missing.
    """
    average, z = encoder.affect.training["depression"]["average"], people.features[VOICE]
    with torch.inference_mode():
        out = encoder.predict(torch.from_numpy(np.nan_to_num(z)).float())
    assert out.phq8 is not None
    heard = present(z)
    logit = np.where(heard, out.depression_logit.double().numpy(), average["logit"]) / encoder.affect.temperature
    phq8 = np.where(heard, out.phq8.double().numpy(), average["phq8"])
    if fusion is not None:
        others = {name: people.features[name] for name in modalities if name != VOICE and name in people.features}
        logit, phq8 = fusion.logit(logit, others), fusion.phq8(phq8, others)
    return logit, np.clip(phq8, 0.0, LARGEST_PHQ8)


def judge_participants(
    encoder: AffectiveEncoder, fusion: Fusion | None, people: Participants, resamples: int, seed: int
) -> list[ParticipantFigures]:
    """Return figures of every corpus' development and test part, by the voice and by each subset of an ablation.

    The development part chose penalties, so its figures flatter; those of the test part do not.
    """
    rows: list[ParticipantFigures] = []
    corpora = np.array([who.rpartition("/")[0] for who in people.who])
    modalities = [VOICE, *(fusion.experts if fusion is not None else ())]
    for corpus in np.unique(corpora):
        for part in JUDGED_PARTS:
            some = people.where(np.asarray((corpora == corpus) & (people.split == part), np.bool_))
            if not some.who:
                continue
            systems = {}
            for subset in systems_of(modalities):
                logit, phq8 = say(encoder, fusion, some, subset)
                systems[" + ".join(subset)] = Said(some.depressed, some.phq8, logit, phq8)
            rows += participant_figures(str(corpus), part, systems, resamples, seed)
    return rows


def judge_folder(
    folder: Path,
    recordings: Sequence[Recording],
    work: Path | None = None,
    done: Callable[[], None] | None = None,
) -> list[ParticipantFigures]:
    """Return the same for a saved model, on interviews."""
    encoder, fusion = AffectiveEncoder.load(folder), Fusion.load(folder)
    plan = training_plan(encoder)
    people, _ = gather(encoder, recordings, plan.modalities, work, done)
    return judge_participants(encoder, fusion, people, plan.resamples, plan.seed)


def training_plan(encoder: AffectiveEncoder) -> DepressionPlan:
    """Return the plan that the model's depression head was fitted with."""
    written: dict[str, Any] = encoder.affect.training["depression"]["plan"]
    read: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in written.items()}
    return DepressionPlan(**read)
