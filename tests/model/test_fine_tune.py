"""Fine-tuning of the encoder: it learns, a killed run ends as a whole one, and held-out speakers are never heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora import Recording, read_corpus
from affect_pipeline.model.embed import embed
from affect_pipeline.model.encoder import AffectiveEncoder, tiny_encoder
from affect_pipeline.model.evaluate import judge
from affect_pipeline.model.evaluate_transfer import judge_transfer
from affect_pipeline.model.fine_tune import FineTuneData, FineTunePlan, fine_tune, learning_rate, split_speakers
from affect_pipeline.model.heads import HeadPlan
from affect_pipeline.model.train import TrainPlan, heard_by_encoder, speaker_key, train
from tests.model.voices import write_corpus

PLAN = FineTunePlan(steps=4, batch=4, crop_s=0.8, warmup=1, checkpoint_every=2, held_out_share=0.3)


class Killed(Exception):
    """Stands for the process being killed."""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    return read_corpus(write_corpus(tmp_path_factory.mktemp("acted"), takes=1), name="acted")


def weights(encoder: AffectiveEncoder) -> dict[str, torch.Tensor]:
    return dict(encoder.wav2vec2.state_dict())


def test_tuning_lowers_the_loss_and_says_so_step_by_step(recordings: list[Recording], tmp_path: Path):
    plan = replace(PLAN, steps=30, batch=12, learning_rate=1e-2)
    tuned = fine_tune(tiny_encoder(), [recordings], plan, tmp_path)
    assert set(tuned.curve) == {"depression", "valence", "arousal", "emotion", "total"}
    losses = tuned.curve["total"]
    assert len(losses) == 30
    assert np.mean(losses[-8:]) < 0.95 * np.mean(losses[:8])


def test_a_killed_run_ends_with_the_weights_and_the_curve_of_one_that_was_not(
    recordings: list[Recording], tmp_path: Path
):
    whole = fine_tune(tiny_encoder(), [recordings], PLAN, tmp_path / "whole")

    def kill(step: int, losses: dict[str, float]) -> None:
        if step == 2:
            raise Killed

    with pytest.raises(Killed):
        fine_tune(tiny_encoder(), [recordings], PLAN, tmp_path / "killed", kill)
    steps: list[int] = []
    resumed = fine_tune(tiny_encoder(), [recordings], PLAN, tmp_path / "killed", lambda step, _: steps.append(step))
    assert steps == [2, 3]
    assert resumed.curve == whole.curve
    for name, value in weights(whole.encoder).items():
        assert torch.equal(value, weights(resumed.encoder)[name]), name
    assert any(not torch.equal(v, weights(tiny_encoder())[name]) for name, v in weights(whole.encoder).items())


def test_another_plan_does_not_go_on_where_this_one_stopped(recordings: list[Recording], tmp_path: Path):
    fine_tune(tiny_encoder(), [recordings], PLAN, tmp_path)
    steps: list[int] = []
    fine_tune(tiny_encoder(), [recordings], replace(PLAN, seed=8), tmp_path, lambda step, _: steps.append(step))
    assert steps == [0, 1, 2, 3]


def test_a_speaker_held_out_is_in_no_batch(recordings: list[Recording]):
    taught, held_out = split_speakers([recordings], PLAN)
    data = FineTuneData(taught)
    met = {speaker_key(data.recordings[row]) for step in range(60) for row in data.batch(PLAN, step).rows}
    everybody = {speaker_key(r) for r in recordings}
    assert len(held_out["acted"]) == 1
    assert met == everybody - set(held_out["acted"])


def test_an_official_split_decides_who_is_held_out(recordings: list[Recording]):
    parts = {"s0": "train", "s1": "train", "s2": "dev", "s3": "test"}
    official = [replace(r, split=parts[r.speaker]) for r in recordings]
    taught, held_out = split_speakers([official], PLAN)
    assert {r.speaker for r in taught} == {"s0", "s1"}
    assert set(held_out["acted"]) == {speaker_key(r) for r in official if r.speaker in ("s2", "s3")}


def test_figures_of_a_tuned_model_are_of_speakers_that_the_encoder_never_met(
    recordings: list[Recording], tmp_path: Path
):
    plan = replace(PLAN, held_out_share=0.5)
    tuned = fine_tune(tiny_encoder(), [recordings], plan, tmp_path).encoder
    trained = train(tuned, [recordings], TrainPlan(heads=HeadPlan(folds=2), copies=0), tmp_path)
    met = heard_by_encoder(trained.encoder, trained.recordings)
    assert 0 < met.sum() < len(met)
    np.testing.assert_array_equal(np.isnan(trained.logits).all(1), met)
    trained.encoder.save(tmp_path / "model")
    loaded = AffectiveEncoder.load(tmp_path / "model")
    [judged] = judge(loaded, [recordings], tmp_path)
    assert judged.protocol == "speakers held out"
    np.testing.assert_array_equal(np.isnan(judged.logits).all(1), met)
    other = [replace(r, corpus="other") for r in recordings]
    assert {j.recordings[0].corpus for j in judge_transfer(loaded, [recordings, other, other], tmp_path)} <= {"other"}


def test_a_tuned_encoder_hears_otherwise_and_its_file_names_no_speaker(recordings: list[Recording], tmp_path: Path):
    tuned = fine_tune(tiny_encoder(), [recordings], replace(PLAN, learning_rate=1e-2), tmp_path).encoder
    assert not np.allclose(embed(tuned, recordings[:1]).raw, embed(tiny_encoder(), recordings[:1]).raw)
    tuned.save(tmp_path / "model")
    said = (tmp_path / "model" / "affect.json").read_text()
    assert "held_out" in said
    assert '"s0"' not in said


def test_testing_corpora_and_corpora_of_one_speaker_are_refused(recordings: list[Recording], tmp_path: Path):
    with pytest.raises(CorpusError, match="testing only"):
        fine_tune(tiny_encoder(), [[replace(r, corpus="emodb") for r in recordings]], PLAN, tmp_path)
    with pytest.raises(CorpusError, match="held out"):
        fine_tune(tiny_encoder(), [[r for r in recordings if r.speaker == "s0"]], PLAN, tmp_path)


def test_the_rate_warms_up_and_falls():
    plan = replace(PLAN, steps=100, warmup=10, learning_rate=1.0)
    assert [round(learning_rate(plan, step), 2) for step in (0, 9, 55, 99)] == [0.1, 1.0, 0.5, 0.01]
