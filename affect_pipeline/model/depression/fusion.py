"""Late fusion: what the face and the timing of an interview add to the voice.

Each modality has an expert whose calibrated log-odds are evidence. Those of the voice count as they are, those of
another modality with a learnt weight between 0 (it tells nothing, or nothing that the voice did not) and 1
(independent evidence, as in naive Bayes). A modality that is missing adds nothing, so of a journal that is voice alone
the fused answer is the voice's, to the last bit.

Saved as ``fusion.json`` beside the model: plain numbers. The model loads without it, and scores journals the same. Its
digest is in ``affect.json``, so a model's identity includes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.errors import DigestMismatch, ModelError
from affect_pipeline.model.depression.experts import DepressionPlan, Expert, FittedExpert, balance, present
from affect_pipeline.model.depression.participants import VOICE, Participants
from affect_pipeline.model.encoder import AFFECT_FILE, FUSION_FILE

Array = NDArray[np.float64]
LARGEST_PHQ8 = 24.0


@dataclass(frozen=True)
class Fusion:
    """Experts beside the voice, with the weights of their log-odds and of their estimates of the PHQ-8."""

    experts: dict[str, Expert]
    weights: dict[str, float]
    phq8_weights: dict[str, float]

    def logit(self, voice: Array, features: Mapping[str, Array]) -> Array:
        """Return fused log-odds (N,).

        Parameters
        ----------
        voice : ndarray, shape (N,)
            Calibrated log-odds of the voice.
        features : mapping of str to ndarray, shape (N, D)
            By modality; one that is not there, or a row of NaN, adds nothing.
        """
        total = np.array(voice, np.float64)
        for name, expert in self.experts.items():
            if name in features:
                there = present(features[name])
                total[there] += self.weights[name] * expert.logit(features[name][there])
        return total

    def phq8(self, voice: Array, features: Mapping[str, Array]) -> Array:
        """Return the fused estimates of the PHQ-8 (N,), given the voice's; as `logit` otherwise."""
        total = np.array(voice, np.float64)
        for name, expert in self.experts.items():
            if name in features:
                there = present(features[name])
                # The bias is the estimate for the average participant: only what differs from it is news.
                news = expert.phq8(features[name][there]) - expert.phq8_bias
                total[there] += self.phq8_weights[name] * news
        return total

    def text(self) -> str:
        """Return the content of ``fusion.json``."""
        experts = {name: expert.as_json() for name, expert in self.experts.items()}
        content = {"experts": experts, "weights": self.weights, "phq8_weights": self.phq8_weights}
        return json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n"

    def digest(self) -> str:
        """Return the SHA-256 of `text`, in hex."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    @classmethod
    def load(cls, folder: Path) -> Fusion | None:
        """Read a model folder's fusion; None if it has none.

        Raises
        ------
        DigestMismatch
            If it is not the one that the model was trained with.
        ModelError
            If the file is not a fusion's.
        """
        path = folder / FUSION_FILE
        if not path.exists():
            return None
        about = json.loads((folder / AFFECT_FILE).read_text())["training"].get("depression", {})
        if about.get("fusion") != hashlib.sha256(path.read_bytes()).hexdigest():
            raise DigestMismatch(
                f"{path} is not the fusion that {folder / AFFECT_FILE} names: it was changed or damaged"
            )
        try:
            content = json.loads(path.read_text())
            experts = {name: Expert.from_json(values) for name, values in content["experts"].items()}
            weights = {name: float(content["weights"][name]) for name in experts}
            return cls(experts, weights, {name: float(content["phq8_weights"][name]) for name in experts})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{path} does not hold a fusion: {error}") from error


def fit_fusion(people: Participants, fitted: Mapping[str, FittedExpert], plan: DepressionPlan) -> Fusion:
    """Learn weights from what experts say of people that they did not hear.

    Parameters
    ----------
    people : Participants
        All of them; the training and the development part count.
    fitted : mapping of str to FittedExpert
        By modality, the voice among them.
    plan : DepressionPlan
        How strongly weights are pulled to nothing.
    """
    from scipy.optimize import lsq_linear, minimize

    names = [name for name in fitted if name != VOICE]
    rows = ~np.isnan(fitted[VOICE].logit)
    answers, scores = people.depressed[rows], people.phq8[rows]
    voice = fitted[VOICE].logit[rows]
    evidence = np.stack([np.nan_to_num(fitted[name].logit[rows]) for name in names], 1)
    counts = balance(answers)

    def loss(weights: Array) -> float:
        logits = voice + evidence @ weights
        return float(
            np.sum(counts * np.logaddexp(0, np.where(answers == 1, -logits, logits)))
            + plan.weight_penalty * np.sum(weights**2)
        )

    found = minimize(loss, np.zeros(len(names)), method="L-BFGS-B", bounds=[(0.0, 1.0)] * len(names)).x
    news = np.stack([np.nan_to_num(fitted[n].phq8[rows] - fitted[n].expert.phq8_bias) for n in names], 1)
    known = ~np.isnan(scores)
    left = (scores - fitted[VOICE].phq8[rows])[known]
    pull = np.sqrt(plan.weight_penalty * known.sum()) * np.eye(len(names))
    both = lsq_linear(np.vstack([news[known], pull]), np.append(left, np.zeros(len(names))), (0.0, 1.0)).x
    return Fusion(
        {name: fitted[name].expert for name in names},
        {name: round(float(w), 6) for name, w in zip(names, found, strict=True)},
        {name: round(float(w), 6) for name, w in zip(names, both, strict=True)},
    )
