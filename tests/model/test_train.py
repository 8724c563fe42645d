"""Training of heads: speakers are held out, nothing leaks, a seed decides, and what is learnt is heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora import EMOTIONS, Recording, read_corpus
from affect_pipeline.model.embed import Embedded, embed
from affect_pipeline.model.encoder import AffectiveEncoder, tiny_encoder
from affect_pipeline.model.heads import TASKS, HeadPlan, Windows, answers, fit_heads
from affect_pipeline.model.train import (
    Trained,
    TrainPlan,
    choose,
    cross_validate,
    drop_labels,
    folds,
    prosody_columns,
    to_windows,
    train,
    with_heads,
)
from tests.model.voices import write_corpus

PLAN = TrainPlan(heads=HeadPlan(folds=2, calm_weight=1.0, prosody_share=0.5), copies=1)
"""Calm counts in full: a fold has two voices, and eight recordings of them that are sad or neutral."""


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
    from affect_pipeline.model.evaluate import figures

    # Four voices are too few to compare people with each other: each is compared with itself.
    within = {f.task: f.within for f in figures(trained.recordings, trained.logits, "ours", "held out")}
    assert within["depression"] > 0.85
    assert within["arousal"] > 0.85


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
    assert set(loaded.affect.wordings) == {"valence", "arousal"}
    assert loaded.affect.wordings == trained.encoder.affect.wordings
    raw = torch.from_numpy(embed(tiny_encoder(), recordings[:2], cache=cache).raw)
    torch.testing.assert_close(
        loaded.predict(loaded.standardise(raw)).arousal,
        trained.encoder.predict(trained.encoder.standardise(raw)).arousal,
    )


def test_speech_without_labels_teaches_nothing_alone(recordings: list[Recording], cache: Path):
    with pytest.raises(CorpusError, match="label"):
        train(tiny_encoder(), [drop_labels(recordings[:4])], PLAN, cache)


def test_an_official_test_part_teaches_nobody(recordings: list[Recording]):
    parts = {"s0": "train", "s1": "train", "s2": "dev", "s3": "test"}
    official = [replace(r, split=parts[r.speaker]) for r in recordings]
    assert {r.speaker for r in choose(official, PLAN)} == {"s0", "s1", "s2"}
    assert choose([r for r in official if r.split == "test"], PLAN) == []


def test_a_draw_is_seeded_labelled_and_written_down(recordings: list[Recording], cache: Path):
    import random

    plan = replace(PLAN, at_most={"acted": 20})
    drawn = choose(recordings, plan)
    order = list(recordings)
    random.Random(plan.seed).shuffle(order)
    assert {r.path for r in drawn} == {r.path for r in order[:20]}
    assert drawn == choose(recordings, plan) != choose(recordings, replace(plan, seed=8))
    assert choose(recordings, replace(PLAN, at_most={"other": 3})) == list(recordings)
    taught = train(tiny_encoder(), [recordings], plan, cache)
    assert taught.recordings == tuple(drawn)
    assert taught.encoder.affect.training["plan"]["at_most"] == {"acted": 20}


def test_an_emotion_is_said_of_every_recording(trained: Trained):
    assert len(trained.emotions_said) == len(trained.recordings)
    assert set(trained.emotions_said) <= set(EMOTIONS)


def test_answers_follow_the_words_the_ratings_and_the_questionnaire():
    def one(**known) -> Recording:
        return Recording(Path("x"), "c", "en", "s", **known)

    rows = [one(emotion="sad"), one(emotion="calm"), one(emotion="happy"), one(depressed=True), one(valence=-0.5)]
    depression, valence, arousal = (answers(rows, task) for task in TASKS)
    np.testing.assert_array_equal(depression, [1, 0, np.nan, 1, np.nan])
    np.testing.assert_array_equal(valence, [0, np.nan, 1, np.nan, 0])
    np.testing.assert_array_equal(arousal, [0, 0, 1, np.nan, np.nan])


def synthetic(raw: np.ndarray, moods: list[str], speakers: list[str], copies: list[int] | None = None) -> Windows:
    """Return one window a recording: features (W, E) with the mood that they belong to."""
    rows = [Recording(Path("x"), "c", "en", s, emotion=m) for s, m in zip(speakers, moods, strict=True)]
    table = np.stack([answers(rows, task) for task in TASKS], 1)
    emotion = np.array([EMOTIONS.index(m) for m in moods])
    group = np.array([f"c/{s}" for s in speakers])
    copy = np.array(copies or [0] * len(rows))
    source = np.arange(len(rows)) % (len(rows) // (1 + max(copy)))
    return Windows(raw.astype(np.float32), table, emotion, group, source, copy)


@pytest.fixture
def acted_rows() -> Windows:
    """Six features of which the second tells sadness, the fifth too, and the third tells calm from everything."""
    rng = np.random.default_rng(3)
    moods = ["neutral", "calm", "sad", "happy", "angry", "fearful"] * 40
    raw = rng.normal(0, 1, (len(moods), 6))
    for column, mood, by in ((1, "sad", 2.0), (4, "sad", 1.5), (2, "calm", 4.0), (2, "sad", 1.0)):
        raw[:, column] += by * (np.array(moods) == mood)
    return synthetic(raw, moods, [f"s{i % 8}" for i in range(len(moods))])


@pytest.mark.parametrize(("share", "states", "prosody"), [(0.0, True, False), (1.0, False, True), (0.5, True, True)])
def test_states_and_prosody_have_heads_of_their_own(acted_rows: Windows, share: float, states: bool, prosody: bool):
    weights = fit_heads(acted_rows, HeadPlan(prosody_share=share), n_prosody=3).weights
    assert weights.shape == (3, 6)
    assert (bool(np.any(weights[0, :3])), bool(np.any(weights[0, 3:]))) == (states, prosody)


def test_each_part_is_fitted_as_if_the_other_were_not_there(acted_rows: Windows):
    changed = replace(acted_rows, raw=acted_rows.raw.copy())
    changed.raw[:, 3:] = np.random.default_rng(4).normal(0, 1, (len(changed.raw), 3))
    first, second = (fit_heads(rows, HeadPlan(), n_prosody=3).weights[0, :3] for rows in (acted_rows, changed))
    assert cosine(first, second) == pytest.approx(1, abs=1e-9)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture
def opposite_moods() -> Windows:
    """Anger and joy lie on either side of everything else: no direction points at both."""
    rng = np.random.default_rng(5)
    moods = ["neutral", "sad", "happy", "angry"] * 60
    raw = rng.normal(0, 1, (len(moods), 4))
    raw[:, 0] += 4.0 * (np.array(moods) == "angry") - 4.0 * (np.array(moods) == "happy")
    return synthetic(raw, moods, [f"s{i % 5}" for i in range(len(moods))])


def share_right(windows: Windows, logits: np.ndarray) -> float:
    return float(np.mean((logits > 0) == (windows.answers[:, 2] > 0)))


def test_what_no_direction_can_tell_is_told_in_words(opposite_moods: Windows):
    rated_only = replace(opposite_moods, emotion=np.full_like(opposite_moods.emotion, -1))
    in_words = fit_heads(opposite_moods, HeadPlan(words_inverse_penalty=1.0), n_prosody=1)
    linear = fit_heads(rated_only, HeadPlan(), n_prosody=1)

    assert set(in_words.wordings) == {"valence", "arousal"}
    assert linear.words is None
    assert linear.wordings == {}
    assert share_right(opposite_moods, in_words.logits(opposite_moods.raw)[:, 2]) > 0.9
    assert share_right(opposite_moods, linear.logits(opposite_moods.raw)[:, 2]) < 0.7


def test_emotions_are_said_by_heads_that_never_heard_the_speaker(opposite_moods: Windows):
    plan = HeadPlan(folds=4, words_inverse_penalty=1.0)
    n = len(opposite_moods.raw)
    each = Embedded(opposite_moods.raw, np.arange(n), opposite_moods.copy, np.ones(n))
    recording = Recording(Path("heard.wav"), "c", "en", "s0")
    mine = opposite_moods.group == "c/s0"
    turned = replace(opposite_moods, emotion=np.where(mine, opposite_moods.emotion[::-1], opposite_moods.emotion))

    said, of_others = (cross_validate(each, [recording] * n, rows, plan, 1)[2] for rows in (opposite_moods, turned))

    right = [EMOTIONS.index(said[i]) == opposite_moods.emotion[i] for i in range(n)]
    assert np.mean(right) > 0.6  # anger and joy are heard, sad and neutral sound alike
    assert [said[i] for i in np.flatnonzero(mine)] == [of_others[i] for i in np.flatnonzero(mine)]


def test_an_encoder_says_what_the_heads_say_that_it_was_given(opposite_moods: Windows):
    words = HeadPlan(words_inverse_penalty=1.0)
    encoder = tiny_encoder()
    rng = np.random.default_rng(6)
    wide = rng.normal(0, 1, (len(opposite_moods.raw), encoder.embedding_size))
    wide[:, :4] = opposite_moods.raw
    heads = fit_heads(replace(opposite_moods, raw=wide.astype(np.float32)), words, prosody_columns(encoder))
    assert heads.words is not None
    affect = replace(encoder.affect, emotions=heads.words.names, wordings=heads.wordings)
    taught = with_heads(encoder, heads, affect)

    said = taught.predict(taught.standardise(torch.from_numpy(wide.astype(np.float32))))

    expected = heads.logits(wide)
    np.testing.assert_allclose(said.depression_logit, expected[:, 0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(said.valence, np.tanh(expected[:, 1] / 2), atol=1e-4)
    np.testing.assert_allclose(said.arousal, np.tanh(expected[:, 2] / 2), atol=1e-4)


def test_calm_of_no_weight_does_not_move_the_direction_of_sadness(acted_rows: Windows):
    # Fearful recordings do not concern the head, so exchanging them with calm ones changes what calm sounds like
    # and nothing else, the standardisation included.
    calm, fearful = (acted_rows.emotion == EMOTIONS.index(mood) for mood in ("calm", "fearful"))
    changed = replace(acted_rows, raw=acted_rows.raw.copy())
    changed.raw[calm], changed.raw[fearful] = acted_rows.raw[fearful], acted_rows.raw[calm]

    def moved_by(weight: float) -> float:
        plan = HeadPlan(calm_weight=weight)
        return 1 - cosine(*(fit_heads(rows, plan, n_prosody=0).weights[0] for rows in (acted_rows, changed)))

    assert moved_by(0.0) < 1e-6
    assert moved_by(1.0) > 0.01


def test_shrinking_takes_weight_from_a_direction_in_which_copies_differ():
    rng = np.random.default_rng(0)
    moods = ["neutral", "sad"] * 200
    copies = [0] * 200 + [1] * 200
    # Two columns tell sadness alike, but the first is shifted at random in copies.
    told = np.array([[m == "sad"] * 2 for m in moods]) + rng.normal(0, 0.3, (400, 2))
    told[200:, 0] += rng.normal(0, 3, 200)
    rows = synthetic(told, moods, [f"s{i % 10}" for i in range(400)], copies)

    def share(strength: float) -> float:
        first, second = np.abs(fit_heads(rows, HeadPlan(nuisance_strength=strength), 0).weights[0])
        return float(first / second)

    assert share(3.0) < 0.75 * share(0.0)
