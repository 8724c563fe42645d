"""Evaluation: areas are areas, baselines are neutral only, and the report says which protocol it followed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from affect_pipeline.model.card import model_card
from affect_pipeline.model.corpora import Recording, read_corpus
from affect_pipeline.model.encoder import tiny_encoder
from affect_pipeline.model.evaluate import auc, figures, judge, neutral_baseline, training_plan
from affect_pipeline.model.evaluate_references import describe_all, reference_figures
from affect_pipeline.model.evaluate_report import Request, evaluate_model
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
    return [seen, new]


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


def test_the_report_holds_figures_gate_cost_and_calibration_and_the_card_quotes_them(
    folder: Path, corpora: list[list[Recording]], work: Path
):
    report = evaluate_model(Request(folder, corpora, references=False, work=work, timed_journals=1))
    written = json.loads(json.dumps(report.as_json()))
    assert set(written["gate"]) == {f"{c}.{t}" for c in ("seen", "new") for t in ("depression", "valence", "arousal")}
    assert all(0 <= value <= 1 for value in written["gate"].values())
    assert written["cost"]["real_time_factor"] > 0
    assert len(written["calibration"]) == 2
    (folder / "evaluation.json").write_text(json.dumps(written))
    card = model_card(folder)
    assert "no claim about clinical depression" in card
    assert "CC-BY-NC-SA-4.0" in card
    assert f"{written['gate']['new.arousal']:.3f}" in card


def test_a_reference_is_judged_by_the_same_folds_and_figures(corpora: list[list[Recording]], work: Path):
    def features(recordings):
        return describe_all(recordings, lambda x: np.array([x.std(), np.abs(np.diff(x)).mean()]), "two", work, None)

    rows = reference_figures("two features", corpora[:1], corpora[1:], features)
    assert {(row.test, row.protocol) for row in rows} == {("seen", "speakers held out"), ("new", "never trained on")}
    assert all(0 <= row.auc <= 1 for row in rows)
