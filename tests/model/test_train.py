"""Training of heads: speakers are held out, nothing leaks, a seed decides, and what is learnt is heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora import Recording, read_corpus
from affect_pipeline.model.embed import embed
from affect_pipeline.model.encoder import AffectiveEncoder, tiny_encoder
from affect_pipeline.model.heads import TASKS, HeadPlan, answers, fit_heads
from affect_pipeline.model.train import Trained, TrainPlan, drop_labels, folds, to_windows, train
from tests.model.voices import write_corpus

PLAN = TrainPlan(heads=HeadPlan(folds=2), copies=1)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    return read_corpus(write_corpus(tmp_path_factory.mktemp("acted")), name="acted")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embeddings")


@pytest.fixture(scope="module")
def trained(recordings: list[Recording], cache: Path) -> Trained:
    return train(tiny_encoder(), [recordings], PLAN, cache)


def test_heads_hear_the_mood_of_speakers_that_they_were_not_taught(trained: Trained):
    from affect_pipeline.model.evaluate import auc

    for index, task in enumerate(TASKS):
        if task.name != "valence":
            assert auc(answers(trained.recordings, task), trained.logits[:, index]) > 0.85, task.name


def test_training_again_gives_the_same_weights(trained: Trained, recordings: list[Recording], cache: Path):
    again = train(tiny_encoder(), [recordings], PLAN, cache)
    assert torch.equal(again.encoder.heads.weight, trained.encoder.heads.weight)
    assert np.array_equal(again.logits, trained.logits, equal_nan=True)


def test_embeddings_from_the_cache_are_those_computed_anew(recordings: list[Recording], cache: Path):
    kept = embed(tiny_encoder(), recordings[:3], copies=1, seed=PLAN.seed, cache=cache)
    anew = embed(tiny_encoder(), recordings[:3], copies=1, seed=PLAN.seed)
    assert np.array_equal(kept.raw, anew.raw)
    assert np.array_equal(kept.copy, anew.copy)


def test_no_speaker_is_in_two_folds(recordings: list[Recording], cache: Path):
    embedded = embed(tiny_encoder(), recordings, copies=1, seed=PLAN.seed, cache=cache)
    windows = to_windows(embedded, recordings)
    fold = folds(windows, HeadPlan(folds=3))
    assert set(fold) == {0, 1, 2}
    for group in np.unique(windows.group):
        assert len(set(fold[windows.group == group])) == 1


def test_the_label_of_a_held_out_speaker_does_not_move_its_own_logits(
    trained: Trained, recordings: list[Recording], cache: Path
):
    from dataclasses import replace

    swapped = {"sad": "neutral", "neutral": "sad"}
    changed = [
        replace(r, emotion=swapped.get(r.emotion or "", r.emotion)) if r.speaker == "s0" else r for r in recordings
    ]
    other = train(tiny_encoder(), [changed], PLAN, cache)
    mine = [i for i, r in enumerate(trained.recordings) if r.speaker == "s0"]
    assert np.array_equal(other.logits[mine], trained.logits[mine])


def test_the_saved_model_is_the_trained_one(trained: Trained, recordings: list[Recording], cache: Path, tmp_path: Path):
    trained.encoder.save(tmp_path)
    loaded = AffectiveEncoder.load(tmp_path)
    assert loaded.affect.temperature == trained.calibration.temperature
    assert loaded.affect.training["corpora"]["acted"]["speakers"] == 4
    raw = torch.from_numpy(embed(tiny_encoder(), recordings[:2], cache=cache).raw)
    torch.testing.assert_close(
        loaded.predict(loaded.standardise(raw)).arousal,
        trained.encoder.predict(trained.encoder.standardise(raw)).arousal,
    )


def test_speech_without_labels_teaches_nothing_alone(recordings: list[Recording], cache: Path):
    with pytest.raises(CorpusError, match="label"):
        train(tiny_encoder(), [drop_labels(recordings[:4])], PLAN, cache)


def test_answers_follow_the_words_the_ratings_and_the_questionnaire():
    def one(**known) -> Recording:
        return Recording(Path("x"), "c", "en", "s", **known)

    rows = [one(emotion="sad"), one(emotion="calm"), one(emotion="happy"), one(depressed=True), one(valence=-0.5)]
    depression, valence, arousal = (answers(rows, task) for task in TASKS)
    np.testing.assert_array_equal(depression, [1, 0, np.nan, 1, np.nan])
    np.testing.assert_array_equal(valence, [0, np.nan, 1, np.nan, 0])
    np.testing.assert_array_equal(arousal, [0, 0, 1, np.nan, np.nan])


def test_a_direction_in_which_copies_differ_is_given_less_weight(recordings: list[Recording], cache: Path):
    embedded = embed(tiny_encoder(), recordings, copies=1, seed=PLAN.seed, cache=cache)
    windows = to_windows(embedded, recordings)
    rng = np.random.default_rng(0)
    # Two columns tell sadness alike, but the first is shifted at random in copies.
    told = np.nan_to_num(windows.answers[:, 0], nan=0.5)[:, None] + rng.normal(0, 0.3, (len(windows.raw), 2))
    told[:, 0] += np.where(windows.copy > 0, rng.normal(0, 3, len(told)), 0)
    rows = type(windows)(told.astype(np.float32), *(getattr(windows, n) for n in list(vars(windows))[1:]))
    clean = rows.where(np.ones(len(told), bool))
    weights = np.abs(fit_heads(clean, HeadPlan(prosody_share=0.0), 0).weights[0])
    assert weights[1] > 2 * weights[0]
