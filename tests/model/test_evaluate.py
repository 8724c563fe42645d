"""Evaluation: areas are areas, baselines are neutral only, and the report says which protocol it followed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.card import model_card
from affect_pipeline.model.corpora import Recording, read_corpus
from affect_pipeline.model.encoder import tiny_encoder
from affect_pipeline.model.evaluate import Judged, auc, figures, judge, neutral_baseline, training_plan
from affect_pipeline.model.evaluate_groups import group_figures
from affect_pipeline.model.evaluate_references import describe_all, reference_figures
from affect_pipeline.model.evaluate_report import Request, evaluate_model
from affect_pipeline.model.evaluate_transfer import BY_CORPUS, BY_LANGUAGE, judge_transfer
from affect_pipeline.model.heads import HeadPlan
from affect_pipeline.model.train import TrainPlan, train
from tests.model.voices import write_corpus


def people(*moods: tuple[str, str]) -> list[Recording]:
    return [Recording(Path("x"), "acted", "en", speaker, emotion) for speaker, emotion in moods]


def test_auc_is_the_share_of_pairs_in_the_right_order():
    assert auc(np.array([0, 0, 1, 1.0]), np.array([1, 3, 2, 4.0])) == 0.75
    assert auc(np.array([0, 1.0]), np.array([2, 2.0])) == 0.5
    assert auc(np.array([0, 1, np.nan]), np.array([1, 2, 9.0])) == 1.0
    assert np.isnan(auc(np.array([1, 1.0]), np.array([1, 2.0])))


def test_the_baseline_is_half_of_the_neutral_recordings_of_each_speaker():
    rows = people(("a", "neutral"), ("a", "sad"), ("a", "calm"), ("b", "neutral"), ("a", "neutral"))
    assert neutral_baseline(rows).tolist() == [True, False, False, True, True]


def test_a_personal_baseline_removes_what_differs_between_voices():
    rows = people(*[(s, m) for s in "ab" for m in ("neutral", "neutral", "sad", "sad", "neutral", "neutral")])
    logits = np.tile(np.array([0.0, 0.1, 1.0, 1.1, 0.05, 0.1]), 2) + np.repeat([0.0, 5.0], 6)
    [figure] = figures(rows, np.stack([logits, np.full(12, np.nan), np.full(12, np.nan)], 1), "ours", "p")
    assert figure.auc < 0.8
    assert figure.within == 1.0
    assert figure.personal == 1.0
    assert (figure.task, figure.n, figure.n_speakers) == ("depression", 12, 2)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[list[Recording]]:
    seen = read_corpus(write_corpus(tmp_path_factory.mktemp("seen"), n_speakers=3), name="seen")
    new = read_corpus(write_corpus(tmp_path_factory.mktemp("new"), n_speakers=2, takes=3), name="new")
    return [[replace(r, language=language) for r in corpus] for corpus, language in ((seen, "en"), (new, "pl"))]


@pytest.fixture(scope="module")
def folder(corpora: list[list[Recording]], work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    plan = TrainPlan(heads=HeadPlan(folds=3), copies=1)
    train(tiny_encoder(), corpora[:1], plan, work).encoder.save(folder)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


def test_corpora_of_the_training_are_judged_with_speakers_held_out_and_others_as_they_are(
    folder: Path, corpora: list[list[Recording]], work: Path
):
    from affect_pipeline.model.encoder import AffectiveEncoder

    encoder = AffectiveEncoder.load(folder)
    judged = {j.recordings[0].corpus: j.protocol for j in judge(encoder, corpora, work)}
    assert judged == {"new": "never trained on", "seen": "speakers held out"}
    assert training_plan(encoder) == TrainPlan(heads=HeadPlan(folds=3), copies=1)


def test_an_official_test_part_is_judged_by_the_heads_that_the_other_parts_taught(
    corpora: list[list[Recording]], work: Path
):
    split = [replace(r, corpus="split", split="test" if r.speaker == "s0" else "train") for r in corpora[0]]
    trained = train(tiny_encoder(), [split], TrainPlan(heads=HeadPlan(folds=2), copies=0), work)
    assert {r.speaker for r in trained.recordings} == {"s1", "s2"}
    judged = {j.protocol: {r.speaker for r in j.recordings} for j in judge(trained.encoder, [split], work)}
    assert judged == {"official test part": {"s0"}, "speakers held out": {"s1", "s2"}}


def rows_of(*told: tuple[str, str | None, int | None]) -> list[Recording]:
    return [Recording(Path("x"), "c", "und", "s", mood, sex, age) for mood, sex, age in told]


def test_groups_are_named_where_known_and_judged_apart():
    told = [("neutral", "f", 31), ("sad", "f", 39), ("neutral", "m", 25), ("sad", "m", 29), ("sad", None, None)]
    recordings = rows_of(*told)
    logits = np.stack([np.array([0.0, 1.0, 1.0, 0.0, 9.0]), *np.full((2, 5), np.nan)], 1)
    found = group_figures(Judged(tuple(recordings), logits, "never trained on"), "ours")
    assert {(g.by, g.group): g.figure.auc for g in found} == {
        ("sex", "f"): 1.0, ("sex", "m"): 0.0, ("age", "30-39"): 1.0, ("age", "20-29"): 0.0,
    }  # fmt: skip
    assert found[0].as_json()["protocol"] == "never trained on"


def test_a_corpus_or_language_that_is_left_out_is_taught_by_the_others(corpora: list[list[Recording]], work: Path):
    english, polish = corpora
    also_english = [replace(r, corpus="third", language="en") for r in polish]
    judged = judge_transfer(tiny_encoder(), [english, polish, also_english], work)
    found = {(j.recordings[0].corpus, j.protocol): j.logits for j in judged}
    assert set(found) == {
        (name, protocol) for name in ("seen", "new", "third") for protocol in (BY_CORPUS, BY_LANGUAGE)
    }
    # The only other language of "seen" is that of "new": its heads are those that "new" alone teaches.
    alone = judge_transfer(tiny_encoder(), [english, polish], work)[0]
    np.testing.assert_allclose(found["seen", BY_LANGUAGE], alone.logits)
    assert not np.allclose(found["seen", BY_CORPUS][:, 0], found["seen", BY_LANGUAGE][:, 0])


def test_the_labels_of_the_corpus_that_is_left_out_do_not_matter(corpora: list[list[Recording]], work: Path):
    swap = {"sad": "neutral", "neutral": "sad"}
    other = [replace(r, emotion=swap.get(r.emotion or "", r.emotion)) for r in corpora[0]]
    first, second = (judge_transfer(tiny_encoder(), [seen, corpora[1]], work) for seen in (corpora[0], other))
    np.testing.assert_array_equal(first[0].logits, second[0].logits)


def test_a_corpus_for_testing_only_is_tested_and_teaches_nobody(corpora: list[list[Recording]], work: Path):
    emodb = [replace(r, corpus="emodb") for r in corpora[1]]
    assert {j.recordings[0].corpus for j in judge_transfer(tiny_encoder(), [corpora[0], emodb], work)} == {"emodb"}
    with pytest.raises(CorpusError, match="testing only"):
        train(tiny_encoder(), [emodb], TrainPlan(), work)


def test_a_question_that_nobody_can_teach_has_no_figure(corpora: list[list[Recording]], work: Path):
    cheerful = [replace(r, corpus="cheerful") for r in corpora[1] if r.emotion != "sad"]
    by_name = {j.recordings[0].corpus: j.logits for j in judge_transfer(tiny_encoder(), [corpora[0], cheerful], work)}
    assert np.isnan(by_name["seen"][:, 0]).all()
    assert not np.isnan(by_name["seen"][:, 2]).any()


def test_the_report_holds_figures_gate_cost_and_calibration_and_the_card_quotes_them(
    folder: Path, corpora: list[list[Recording]], work: Path
):
    report = evaluate_model(Request(folder, corpora, references=False, work=work, timed_journals=1))
    written = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert set(written["gate"]) == {f"{c}.{t}" for c in ("seen", "new") for t in ("depression", "valence", "arousal")}
    assert all(0 <= value <= 1 for value in written["gate"].values())
    assert written["cost"]["real_time_factor"] > 0
    assert len(written["calibration"]) == 2
    assert {row["protocol"] for row in written["figures"]} >= {"taught by the other corpora"}
    languages = {(row["group"], row["test"]) for row in written["by_group"] if row["by"] == "language"}
    assert languages == {("en", "seen"), ("pl", "new")}
    (folder / "evaluation.json").write_text(json.dumps(written))
    card = model_card(folder)
    assert "no claim about clinical depression" in card
    assert "CC-BY-NC-SA-4.0" in card
    assert f"{written['gate']['new.arousal']:.3f}" in card
    assert "acted calm counts 0.1 of neutral" in card
    assert "| language | pl | new |" in card
    assert "not blind any more" in " ".join(card.split())


def test_a_reference_is_judged_by_the_same_folds_and_figures(corpora: list[list[Recording]], work: Path):
    def features(recordings):
        return describe_all(recordings, lambda x: np.array([x.std(), np.abs(np.diff(x)).mean()]), "two", work, None)

    rows = reference_figures("two features", corpora[:1], corpora[1:], features)
    assert {(row.test, row.protocol) for row in rows} == {("seen", "speakers held out"), ("new", "never trained on")}
    assert all(0 <= row.auc <= 1 for row in rows)
