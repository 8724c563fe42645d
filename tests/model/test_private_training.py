"""Heads fitted under differential privacy hide who taught them, say what that cost, and measure nothing in private."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.errors import CorpusError, SettingsError
from affect_pipeline.model.card import model_card
from affect_pipeline.model.corpora import Recording, read_corpus
from affect_pipeline.model.encoder import AffectiveEncoder, tiny_encoder
from affect_pipeline.model.private_heads import PrivatePlan, by_speaker, fit_private_heads, speaker_losses
from affect_pipeline.model.private_train import PrivatelyTrained, log_private_training, train_privately
from affect_pipeline.model.tracking import mlflow_client
from affect_pipeline.settings import Settings
from tests.model.registries import copy_registry, registry_template  # noqa: F401 - a fixture
from tests.model.voices import write_corpus

CANARIES = 8
"""Speakers with a direction of their own, who taught or did not: easier to find cannot be."""
OTHERS = 12
RUNS = 40
PRICE = PrivatePlan(epsilon=1.0, delta=1e-5, steps=8)

Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def advantage(fit: Fit) -> float:
    """Return true minus false positive rate of an attacker who sees the weights and knows all recordings.

    Every canary is alone in one direction, so its weight there is what it taught, and noise. Half of the runs set the
    threshold, the other half judge.
    """
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(OTHERS, CANARIES))
    taught, seen = np.zeros((RUNS, CANARIES), np.bool_), np.zeros((RUNS, CANARIES))
    for run in range(RUNS):
        taught[run] = rng.random(CANARIES) < 0.5
        own = 4.0 * np.eye(CANARIES)[taught[run]]
        features = np.concatenate([np.hstack([shared, np.zeros_like(shared)]), np.hstack([np.zeros_like(own), own])])
        answers = np.concatenate([(shared[:, 0] > 0).astype(float), np.ones(len(own))])
        seen[run] = fit(features, answers, np.array([f"s{i:02d}" for i in range(len(features))]))[CANARIES:]
    half = RUNS // 2
    threshold = (seen[:half][taught[:half]].mean() + seen[:half][~taught[:half]].mean()) / 2
    judged, truth = seen[half:] > threshold, taught[half:]
    return float(judged[truth].mean() - judged[~truth].mean())


def bound(epsilon: float, delta: float) -> float:
    """Return the most that membership inference can gain (Humphries et al. 2023, https://arxiv.org/abs/2010.12112)."""
    return (math.exp(epsilon) - 1 + 2 * delta) / (math.exp(epsilon) + 1)


def privately(plan: PrivatePlan) -> Fit:
    def fit(features: np.ndarray, answers: np.ndarray, group: np.ndarray) -> np.ndarray:
        return fit_private_heads(by_speaker(features, answers[:, None], group, plan), plan).weights[0]

    return fit


def overfitted(features: np.ndarray, answers: np.ndarray, _group: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    return np.asarray(LogisticRegression(C=1e4, max_iter=500).fit(features, answers).coef_[0])


def test_a_membership_attack_does_no_better_than_the_bound() -> None:
    assert advantage(privately(PRICE)) <= bound(PRICE.epsilon, PRICE.delta)


def test_the_same_attack_finds_who_taught_a_model_without_noise_or_with_too_little() -> None:
    assert advantage(overfitted) > bound(PRICE.epsilon, PRICE.delta)
    assert advantage(privately(replace(PRICE, epsilon=60.0))) > bound(PRICE.epsilon, PRICE.delta)


def test_a_speaker_is_one_sample_whatever_was_recorded() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(["a", "b", "c"], [1, 5, 900])
    answers = np.full((906, 3), np.nan)
    answers[:, 0] = rng.random(906) > 0.7
    answers[0] = np.nan  # nothing is asked of a

    speakers = by_speaker(rng.normal(size=(906, 4)), answers, group, PRICE)
    losses = speaker_losses(torch.zeros(2, PRICE.most_windows, 3), speakers.answers)

    assert speakers.features.shape == (2, PRICE.most_windows, 4)
    assert torch.allclose(losses, torch.full((2,), math.log(2)))


def test_noise_cannot_be_had_again_from_the_plan() -> None:
    fit = privately(PRICE)
    data = np.eye(16)[:4], np.ones(4), np.array(list("abcd"))

    assert not np.allclose(fit(*data), fit(*data))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    folder = write_corpus(tmp_path_factory.mktemp("clinic"), takes=1, moods=("neutral", "sad", "angry"))
    return read_corpus(folder, name="clinic")


@pytest.fixture(scope="module")
def trained(recordings: list[Recording]) -> PrivatelyTrained:
    return train_privately(tiny_encoder(), [recordings], PrivatePlan(epsilon=8.0), copies=0)


def test_a_model_says_what_its_privacy_cost(trained: PrivatelyTrained, tmp_path: Path) -> None:
    trained.encoder.save(tmp_path)
    card, about = model_card(tmp_path), AffectiveEncoder.load(tmp_path).affect.training

    assert 7.5 < trained.heads.epsilon <= 8.0
    assert about["privacy"]["spent"]["epsilon"] == pytest.approx(trained.heads.epsilon, abs=1e-4)
    assert f"epsilon {about['privacy']['spent']['epsilon']:g} at delta 1e-05" in card
    assert "one speaker with all recordings" in card
    assert about["corpora"] == {"clinic": {"language": "und", "speakers": 4}}  # how much each recorded is not told


def test_nothing_but_the_heads_comes_from_private_recordings(trained: PrivatelyTrained) -> None:
    before, after = tiny_encoder(), trained.encoder

    assert not torch.equal(before.heads.weight, after.heads.weight)
    assert after.affect.emotions == ()
    assert (after.affect.temperature, after.affect.usual_sd) == (before.affect.temperature, before.affect.usual_sd)
    for name, value in after.state_dict().items():
        assert name.startswith("heads.") or torch.equal(value, before.state_dict()[name]), name


def test_mlflow_is_told_the_price_and_no_figure_of_the_recordings(
    trained: PrivatelyTrained,
    settings: Settings,
    registry_template: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    trained.encoder.save(tmp_path / "model")
    home = copy_registry(registry_template, settings)
    run_id = log_private_training(home, trained, tmp_path / "model")
    with mlflow_client(home) as client:
        run = client.get_run(run_id)

    assert set(run.data.metrics) == {"privacy_epsilon", "privacy_delta", "privacy_noise_multiplier"}
    assert run.data.metrics["privacy_epsilon"] == pytest.approx(trained.heads.epsilon, abs=1e-4)
    assert run.data.params["privacy.unit"] == "one speaker with all recordings"
    assert not any("digest" in name for name in run.data.params)


def test_promises_that_could_not_be_kept_are_refused(
    trained: PrivatelyTrained, recordings: list[Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = PrivatePlan(epsilon=8.0)
    with pytest.raises(CorpusError, match="has learned from clinic"):
        train_privately(trained.encoder, [recordings], plan)
    with pytest.raises(CorpusError, match="testing only"):
        train_privately(tiny_encoder(), [[replace(r, corpus="emodb") for r in recordings]], plan)
    with pytest.raises(SettingsError, match="1/4"):
        train_privately(tiny_encoder(), [recordings], replace(plan, delta=0.3))
    with pytest.raises(CorpusError, match="no recording has"):
        train_privately(tiny_encoder(), [[replace(r, emotion=None) for r in recordings]], plan)
    for module in [name for name in sys.modules if name.split(".")[0] == "opacus"] + ["opacus"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match="training"):
        fit_private_heads(by_speaker(np.eye(4), np.ones((4, 1)), np.array(list("abcd")), plan), plan)


def test_the_command_trains_in_private(tmp_path: Path) -> None:
    tiny_encoder().save(tmp_path / "start")
    write_corpus(tmp_path / "corpus", takes=1, moods=("neutral", "sad"))
    asked = ["model", "train", "--encoder", str(tmp_path / "start"), "--corpus", f"clinic={tmp_path / 'corpus'}"]
    asked += ["--out", str(tmp_path / "model"), "--work", str(tmp_path / "work"), "--no-mlflow", "--dp-epsilon", "8"]

    made = CliRunner().invoke(build(), asked)
    refused = CliRunner().invoke(build(), [*asked, "--encoder-steps", "5"])

    assert made.exit_code == 0, made.output
    assert "at delta 1e-05 a speaker" in made.output
    assert AffectiveEncoder.load(tmp_path / "model").affect.training["privacy"]["spent"]["epsilon"] <= 8.0
    assert isinstance(refused.exception, SettingsError)
