"""Training of heads under differential privacy: everything that touches the private recordings is accounted for.

Standardisation, calibration and the usual spread of windows are those of the encoder's own model, which has to come
from other recordings. Nothing is measured on the private recordings afterwards, neither folds nor digests: figures
would say something about speakers that no noise hides. Figures come from `affect model evaluate` on other corpora.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affect_pipeline.errors import CorpusError, SettingsError
from affect_pipeline.model.corpora import TESTING_ONLY, Recording
from affect_pipeline.model.embed import embed
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.heads import Heads
from affect_pipeline.model.private_heads import PrivateHeads, PrivatePlan, by_speaker, fit_private_heads
from affect_pipeline.model.train import has_answer, to_windows, with_heads

if TYPE_CHECKING:
    from affect_pipeline.settings import Settings

UNIT = "one speaker with all recordings"


@dataclass(frozen=True)
class PrivatelyTrained:
    """A model with private heads, and what they cost."""

    encoder: AffectiveEncoder
    heads: PrivateHeads


def train_privately(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    plan: PrivatePlan,
    copies: int = 2,
    work: Path | None = None,
    done: Callable[[], None] | None = None,
) -> PrivatelyTrained:
    """Fit heads by DP-SGD on labelled recordings.

    Parameters
    ----------
    encoder : AffectiveEncoder
        From other recordings, with its standardisation; its heads are where the descent starts, if they were fitted.
    corpora : sequence of sequences of Recording
        Labelled ones teach; an official test part and corpora without labels are passed over.
    plan : PrivatePlan
        Price and course.
    copies : int
        Augmented copies of each recording.
    work : Path, optional
        Folder that keeps embeddings between runs; as private as the recordings.
    done : callable, optional
        Called after each recording that was embedded.

    Raises
    ------
    CorpusError
        If nothing has a label, a corpus is for testing only, or the encoder has heard it before.
    SettingsError
        If the price makes no sense or Opacus is missing.
    """
    recordings = [r for corpus in corpora for r in corpus if has_answer(r) and r.split != "test"]
    _check(encoder, recordings, plan)
    embedded = embed(encoder, recordings, copies=copies, seed=plan.seed, cache=work, done=done)
    windows = to_windows(embedded, recordings)
    mean, scale = (buffer.double().numpy() for buffer in (encoder.embedding_mean, encoder.embedding_scale))
    blank = np.zeros((0, encoder.embedding_size))
    standard = Heads(mean, scale, blank, np.zeros(0))
    speakers = by_speaker(standard.standardise(windows.raw), windows.answers, windows.group, plan)
    found = fit_private_heads(speakers, plan, _start(encoder))
    heads = replace(standard, weights=found.weights, bias=found.bias)
    about = {"corpora": _corpora(recordings), "privacy": describe(found, plan), **_encoder_training(encoder)}
    affect = replace(encoder.affect, emotions=(), wordings={}, phq8_head=False, training=about)
    return PrivatelyTrained(with_heads(encoder, heads, affect), found)


def describe(heads: PrivateHeads, plan: PrivatePlan) -> dict[str, Any]:
    """Return what a model says about its privacy; how many speakers there were counts as known."""
    spent = {"epsilon": round(heads.epsilon, 4), "delta": heads.delta, "noise_multiplier": heads.noise_multiplier}
    return {"unit": UNIT, "spent": spent, "plan": asdict(plan)}


def log_private_training(settings: Settings, trained: PrivatelyTrained, folder: Path) -> str:
    """Log what a private training cost as one MLflow run, and nothing measured on its recordings; returns its id."""
    from affect_pipeline.model.encoder import folder_digest
    from affect_pipeline.model.tracking import experiment_id, mlflow_client
    from affect_pipeline.model.training_log import EXPERIMENT, code_version

    about = trained.encoder.affect.training
    with mlflow_client(settings) as client:
        run_id = str(client.create_run(experiment_id(settings, client, EXPERIMENT)).info.run_id)
        client.log_param(run_id, "privacy.unit", about["privacy"]["unit"])
        for name, value in about["privacy"]["plan"].items():
            client.log_param(run_id, f"privacy.{name}", str(value))
        for corpus, entry in about["corpora"].items():
            client.log_param(run_id, f"speakers.{corpus}", str(entry["speakers"]))
        for name, number in about["privacy"]["spent"].items():
            client.log_metric(run_id, f"privacy_{name}", float(number))
        client.set_tag(run_id, "model_digest", folder_digest(folder))
        client.set_tag(run_id, "code_version", code_version())
        client.set_terminated(run_id)
    return run_id


def _check(encoder: AffectiveEncoder, recordings: Sequence[Recording], plan: PrivatePlan) -> None:
    names = {r.corpus for r in recordings}
    if not names:
        raise CorpusError("no recording has an emotion or depression label that the heads can learn from")
    if taught := sorted(names & set(TESTING_ONLY)):
        raise CorpusError(f"{', '.join(taught)} is for testing only: give it to `affect model evaluate`")
    if heard := sorted(names & heard_before(encoder)):
        raise CorpusError(
            f"this encoder has learned from {', '.join(heard)} without noise, so private heads would promise its "
            "speakers nothing: start from an encoder of other recordings"
        )
    n = len({(r.corpus, r.speaker) for r in recordings})
    if not (plan.epsilon > 0 and 0 < plan.delta < 1 / n):
        raise SettingsError(f"epsilon must be above 0, and delta below one in the number of speakers: 1/{n}")


def heard_before(encoder: AffectiveEncoder) -> set[str]:
    """Return the corpora that anything in a model was learned from: encoder, standardisation, heads."""
    training = encoder.affect.training
    told = {str(entry["corpus"]) for entry in training.get("encoder", {}).get("corpora", [])}
    tuned, before = training.get("fine_tuning", {}).get("held_out", {}), training.get("before", [])
    clinical = training.get("depression", {}).get("corpora", {})
    return told | set(training.get("corpora", {})) | set(clinical) | set(tuned) | set(before)


def _start(encoder: AffectiveEncoder) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
    if not encoder.affect.training.get("plan"):
        return None  # its heads were never fitted
    return encoder.heads.weight.double().numpy()[:3], encoder.heads.bias.double().numpy()[:3]


def _corpora(recordings: Sequence[Recording]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({r.corpus for r in recordings}):
        mine = [r for r in recordings if r.corpus == name]
        found[name] = {"language": mine[0].language, "speakers": len({r.speaker for r in mine})}
    return found


def _encoder_training(encoder: AffectiveEncoder) -> dict[str, Any]:
    training = encoder.affect.training
    kept = {name: value for name, value in training.items() if name in ("encoder", "fine_tuning")}
    # What the model before was taught with: this one starts from its standardisation, calibration and heads.
    clinical = training.get("depression", {}).get("corpora", {})
    before = sorted({*training.get("corpora", {}), *clinical, *training.get("before", [])})
    return kept | ({"before": before} if before else {})
