"""Fine-tuning on interviews with questionnaires: a head for a PHQ-8 of ten or more, one for the PHQ-8, and fusion.

The official parts of a corpus are kept: the training part teaches, the development part chooses penalties and
calibrates with folds of the training part, the test part is only judged. Valence, arousal and emotions stay as the
model had them; the depression head is replaced, and with it what its probability means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.calibration import Calibration
from affect_pipeline.model.corpora import Recording
from affect_pipeline.model.depression.experts import DepressionPlan, FittedExpert, fit_expert
from affect_pipeline.model.depression.figures import ParticipantFigures
from affect_pipeline.model.depression.fusion import Fusion, fit_fusion
from affect_pipeline.model.depression.judge import judge_participants
from affect_pipeline.model.depression.participants import VOICE, Participants, gather, is_clinical
from affect_pipeline.model.embed import Embedded
from affect_pipeline.model.encoder import FUSION_FILE, AffectConfig, AffectiveEncoder

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DepressionTrained:
    """A model whose depression head is a questionnaire's, and what was measured on the way.

    Parameters
    ----------
    encoder : AffectiveEncoder
        Ready to be saved.
    fusion : Fusion, optional
        What other modalities add.
    fitted : dict of str to FittedExpert
        By modality.
    figures : tuple of ParticipantFigures
        Of the development and the test part.
    depressed : ndarray, shape (N,)
        The answers of the participants, in the order of what `fitted` says of them.
    recordings : tuple of Recording
        Interviews that counted.
    plan : DepressionPlan
        How.
    """

    encoder: AffectiveEncoder
    fusion: Fusion | None
    fitted: dict[str, FittedExpert]
    figures: tuple[ParticipantFigures, ...]
    depressed: Array
    recordings: tuple[Recording, ...]
    plan: DepressionPlan

    @property
    def calibration(self) -> Calibration:
        """Of the voice's log-odds, on participants that its head did not hear."""
        return self.fitted[VOICE].calibration

    def save(self, folder: Path) -> None:
        """Write the model folder, the fusion with it if there is one."""
        self.encoder.save(folder)
        (folder / FUSION_FILE).unlink(missing_ok=True)
        if self.fusion is not None:
            (folder / FUSION_FILE).write_text(self.fusion.text())


def split_clinical(
    corpora: Sequence[Sequence[Recording]],
) -> tuple[list[list[Recording]], list[Recording]]:
    """Return corpora without questionnaires, and the interviews of those with."""
    acted = [list(corpus) for corpus in corpora if not any(is_clinical(r) for r in corpus)]
    return acted, [r for corpus in corpora if any(is_clinical(r) for r in corpus) for r in corpus]


def train_depression(
    encoder: AffectiveEncoder,
    interviews: Sequence[Recording],
    plan: DepressionPlan,
    work: Path | None = None,
    done: Callable[[], None] | None = None,
) -> DepressionTrained:
    """Fit the heads for depression on interviews.

    Parameters
    ----------
    encoder : AffectiveEncoder
        Its encoder, standardisation and other heads are kept.
    interviews : sequence of Recording
        Of depression corpora, all official parts.
    plan : DepressionPlan
        How.
    work : Path, optional
        Keeps embeddings between runs.
    done : callable, optional
        Called after each interview.

    Raises
    ------
    CorpusError
        If nobody is heard, or a part that teaches or chooses lacks one of both answers.
    """
    people, windows = gather(encoder, interviews, plan.modalities, work, done)
    if not len(windows.raw):
        raise CorpusError("no interview has speech of its participant")
    if _unfitted(encoder):
        encoder = _standardised(encoder, people, windows)
        people, windows = gather(encoder, interviews, plan.modalities, work)
    fitted = {name: fit_expert(people, name, plan) for name in plan.modalities}
    fusion = fit_fusion(people, fitted, plan) if len(plan.modalities) > 1 else None
    counted = tuple(r for r in interviews if is_clinical(r) and r.split)
    about = describe(counted, people, fitted, fusion, plan)
    tuned = _with_heads(encoder, fitted[VOICE], windows, people, about)
    figures = judge_participants(tuned, fusion, people, plan.resamples, plan.seed)
    return DepressionTrained(tuned, fusion, fitted, tuple(figures), people.depressed, counted, plan)


def meaning(corpora: Sequence[str]) -> str:
    """Return what ``depression_probability`` of such a model is."""
    return (
        f"PHQ-8 of ten or more, fitted on PHQ-8 questionnaire labels of {' and '.join(corpora)}, as if half of the "
        "people had it; a research estimate, not a diagnosis"
    )


def describe(
    interviews: Sequence[Recording],
    people: Participants,
    fitted: dict[str, FittedExpert],
    fusion: Fusion | None,
    plan: DepressionPlan,
) -> dict[str, Any]:
    """Return what ``affect.json`` says about the depression head: corpora, parts, choices, weights."""
    corpora: dict[str, dict[str, Any]] = {}
    for name in sorted({r.corpus for r in interviews}):
        mine = np.array([who.startswith(f"{name}/") for who in people.who])
        parts = {part: mine & (people.split == part) for part in ("train", "dev", "test")}
        corpora[name] = {
            "language": next(r.language for r in interviews if r.corpus == name),
            "participants": {part: int(rows.sum()) for part, rows in parts.items()},
            "depressed": {part: int(people.depressed[rows].sum()) for part, rows in parts.items()},
        }
    chosen = {n: {"penalty": f.penalty, "phq8_penalty": f.phq8_penalty} for n, f in fitted.items()}
    # Who says nothing is answered as the average participant, around whom the heads' biases were fitted.
    average = {"logit": fitted[VOICE].expert.bias, "phq8": fitted[VOICE].expert.phq8_bias}
    found: dict[str, Any] = {
        "corpora": corpora, "plan": asdict(plan), "chosen": chosen, "labels": "PHQ-8", "average": average,
    }  # fmt: skip
    if fusion is not None:
        found |= {"fusion": fusion.digest(), "weights": fusion.weights, "phq8_weights": fusion.phq8_weights}
    return found


def _unfitted(encoder: AffectiveEncoder) -> bool:
    """Return whether embeddings of a model were never standardised, as those of an imported one."""
    return bool((encoder.embedding_scale == 1).all() and (encoder.embedding_mean == 0).all())


def _standardised(encoder: AffectiveEncoder, people: Participants, windows: Embedded) -> AffectiveEncoder:
    """Return the encoder with embeddings in SDs of the training participants' windows."""
    raw = windows.raw[(people.split == "train")[windows.recording]].astype(np.float64)
    if not len(raw):
        raise CorpusError("no interview of the training part has speech of its participant")
    model = _copy(encoder, encoder.affect)
    with torch.no_grad():
        model.embedding_mean.copy_(torch.from_numpy(raw.mean(0)))
        model.embedding_scale.copy_(torch.from_numpy(1.0 / (raw.std(0) + 1e-4)))
    return model


def _with_heads(
    encoder: AffectiveEncoder, voice: FittedExpert, windows: Embedded, people: Participants, about: dict[str, Any]
) -> AffectiveEncoder:
    """Return the encoder with the voice's expert as its depression head, and its PHQ-8 head beside it."""
    (weights, bias), (phq8_weights, phq8_bias) = voice.expert.on_features()
    affect = replace(
        encoder.affect,
        phq8_head=True,
        temperature=voice.expert.temperature,
        depression_meaning=meaning(sorted(about["corpora"])),
        training={**encoder.affect.training, "depression": about},
    )
    model = _copy(encoder, affect)
    assert model.phq8_head is not None
    with torch.no_grad():
        model.heads.weight[0].copy_(torch.from_numpy(weights))
        model.heads.bias[0] = bias
        model.phq8_head.weight[0].copy_(torch.from_numpy(phq8_weights))
        model.phq8_head.bias[0] = phq8_bias
        z = model.standardise(torch.from_numpy(windows.raw)).double().numpy()
    spread = _window_spread(z @ weights, windows, affect)
    if spread is not None:
        model.affect = replace(affect, usual_sd={**affect.usual_sd, "depression_logit": round(spread, 4)})
    return model


def _copy(encoder: AffectiveEncoder, affect: AffectConfig) -> AffectiveEncoder:
    model = AffectiveEncoder(encoder.config, affect)
    model.load_state_dict(encoder.state_dict(), strict=False)  # a head that is new has nothing to copy
    return model.eval().requires_grad_(False)


def _window_spread(logits: Array, windows: Embedded, affect: AffectConfig) -> float | None:
    """Return the SD of a full window's logit around its participant's, None if nobody has two windows.

    The noise of one second is pooled over participants, as `affect_pipeline.model.batching.combine` takes it.
    """
    squares, freedom = 0.0, 0
    present, means = windows.mean_by_recording(logits)
    for row, mean in zip(present, means, strict=True):
        mine = windows.recording == row
        squares += float(np.sum(windows.seconds[mine] * (logits[mine] - mean) ** 2))
        freedom += int(mine.sum()) - 1
    return float(np.sqrt(squares / freedom / affect.window_s)) if freedom and squares else None
