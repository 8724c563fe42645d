"""Heads that questionnaires teach: from a corpus' own layout to a challenger, and the traps on the way."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.errors import CorpusError, GateFailed
from affect_pipeline.model.card import model_card
from affect_pipeline.model.corpora import Recording, read_corpus
from affect_pipeline.model.depression.experts import DepressionPlan
from affect_pipeline.model.depression.figures import Said, participant_figures
from affect_pipeline.model.depression.judge import judge_folder, say
from affect_pipeline.model.depression.participants import VOICE, gather
from affect_pipeline.model.depression.report import write_evaluation
from affect_pipeline.model.depression.train import DepressionTrained, train_depression
from affect_pipeline.model.encoder import (
    AffectiveEncoder,
    default_model_dir,
    folder_digest,
    read_metrics,
    tiny_encoder,
)
from affect_pipeline.model.evaluate import judge
from affect_pipeline.model.evaluate_report import Request, evaluate_model
from affect_pipeline.model.heads import HeadPlan
from affect_pipeline.model.lifecycle import check_gate
from affect_pipeline.model.registry import find_version
from affect_pipeline.model.scorer import Scorer
from affect_pipeline.model.tracking import mlflow_client
from affect_pipeline.model.train import TrainPlan
from affect_pipeline.model.training import Asked, train_model
from affect_pipeline.settings import Settings
from tests.model.interviews import Bank, Scene, voices, write_interviews
from tests.model.registries import copy_registry, registry_template  # noqa: F401 - a fixture
from tests.model.voices import write_corpus

PLAN = DepressionPlan(resamples=200)
SMALL = {"train": 4, "dev": 4, "test": 4}


REAL = "AFFECT_CORPORA" in os.environ
"""Actors' voices are harder to tell apart than the demo's: more of them, and a model that hears more than prosody."""
COUNTS = {"train": 24, "dev": 12, "test": 16} if REAL else {"train": 12, "dev": 8, "test": 8}


def listener() -> AffectiveEncoder:
    return AffectiveEncoder.load(default_model_dir()) if REAL else tiny_encoder()


@pytest.fixture(scope="module")
def bank() -> Bank:
    return voices()


@pytest.fixture(scope="module")
def folder(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("daic")
    write_interviews(folder, bank, Scene(counts=COUNTS, face=lambda person: float(person.depressed)))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def interviews(folder: Path) -> list[Recording]:
    return read_corpus(folder, name="daic-woz")


@pytest.fixture(scope="module")
def trained(interviews: list[Recording], work: Path) -> DepressionTrained:
    return train_depression(listener(), interviews, PLAN, work)


def test_mood_of_voices_that_taught_nothing_is_heard_and_measured_by_participant(trained: DepressionTrained):
    test = next(f for f in trained.figures if f.split == "test")
    assert (test.corpus, test.system, test.n, test.n_depressed) == (
        "daic-woz", "voice", COUNTS["test"], COUNTS["test"] // 2,
    )  # fmt: skip
    auc = test.figures["auc"]
    assert auc.value > 0.65
    assert auc.low <= auc.value <= auc.high
    rmse, mae, ccc = (test.figures[name] for name in ("rmse", "mae", "ccc"))
    assert 0 < mae.value <= rmse.value < rmse.high
    assert -1 <= ccc.low <= ccc.value <= ccc.high <= 1


def test_the_depression_head_is_replaced_and_no_other(
    interviews: list[Recording], work: Path, tmp_path: Path, trained: DepressionTrained
):
    base = tiny_encoder()
    with torch.no_grad():
        base.embedding_scale.fill_(0.5)  # a model that was fitted once
    tuned = train_depression(base, interviews, PLAN, work).encoder
    assert torch.equal(tuned.heads.weight[1:], base.heads.weight[1:])
    assert torch.equal(tuned.embedding_scale, base.embedding_scale)
    assert tuned.emotion_head is not None
    assert base.emotion_head is not None
    assert torch.equal(tuned.emotion_head.weight, base.emotion_head.weight)
    assert not torch.equal(tuned.heads.weight[0], base.heads.weight[0])
    assert "PHQ-8 questionnaire labels of daic-woz" in tuned.affect.depression_meaning
    assert "proxy" not in tuned.affect.depression_meaning


def test_a_journal_is_scored_as_the_participant_was(
    trained: DepressionTrained, interviews: list[Recording], work: Path, tmp_path: Path
):
    from affect_pipeline.model.embed import prepared_voice

    trained.save(tmp_path)
    people, _ = gather(trained.encoder, interviews, (VOICE,), work)
    logit, _ = say(trained.encoder, None, people, (VOICE,))
    row = people.who.index(f"daic-woz/{interviews[0].speaker}")
    [score] = Scorer(tmp_path, device="cpu").score([prepared_voice(interviews[0])])
    assert score.depression_probability == pytest.approx(1 / (1 + np.exp(-logit[row])), abs=0.01)
    assert score.depression_logit_se > 0


def test_the_shipped_model_is_not_touched_by_the_new_head():
    shipped = AffectiveEncoder.load(default_model_dir())
    assert shipped.phq8_head is None
    assert shipped.affect.depression_meaning.startswith("low-mood proxy")
    assert folder_digest(default_model_dir()) == read_metrics(default_model_dir())["digest"], (
        "measured as it is shipped"
    )
    card = model_card(default_model_dir())
    assert "`affect model train --at-most emospeech-in=600` draws so" in card
    assert "no claim about clinical depression" in card


def test_acted_moods_teach_the_other_heads_and_questionnaires_this_one(
    interviews: list[Recording], work: Path, tmp_path: Path
):
    acted = read_corpus(write_corpus(tmp_path / "acted", n_speakers=2, takes=1), name="acted")
    tiny_encoder().save(tmp_path / "base")
    asked = Asked(TrainPlan(heads=HeadPlan(folds=2), copies=0), PLAN)
    both = train_model(tmp_path / "base", [acted, interviews], asked, work)
    assert both.acted is not None
    assert both.acted.encoder.affect.training["corpora"]["acted"]["speakers"] == 2
    assert torch.equal(both.encoder.heads.weight[1:], both.acted.encoder.heads.weight[1:])
    assert "PHQ-8" in both.encoder.affect.depression_meaning
    both.save(tmp_path / "both")
    assert not (tmp_path / "both" / "evaluation.json").exists(), "valence and arousal are new and not measured yet"
    again = train_model(tmp_path / "both", [acted], asked, work).encoder
    assert again.affect.depression_meaning.startswith("low-mood proxy")
    assert again.phq8_head is None
    assert "depression" not in again.affect.training


def test_what_the_interviewer_says_does_not_move_a_bit(bank: Bank, tmp_path: Path):
    plain = Scene(counts=SMALL, voice_tells=False)
    write_interviews(tmp_path / "plain", bank, plain)
    write_interviews(tmp_path / "told", bank, replace(plain, ellie_tells=True))
    plan = replace(PLAN, modalities=("voice", "timing"))
    first, second = (
        train_depression(tiny_encoder(), read_corpus(tmp_path / name, name="daic-woz"), plan, tmp_path / name / "work")
        for name in ("plain", "told")
    )
    assert not same_audio(tmp_path / "plain", tmp_path / "told")
    assert torch.equal(first.encoder.heads.weight, second.encoder.heads.weight)
    assert first.fusion is not None
    assert second.fusion is not None
    assert first.fusion.weights == pytest.approx(second.fusion.weights, abs=1e-6)
    timings = [t.fusion.experts["timing"] for t in (first, second) if t.fusion is not None]
    np.testing.assert_allclose(timings[0].weights, timings[1].weights, atol=1e-6)
    # Half of each group sounds sad, whatever the questionnaire said: nothing is left to hear.
    chance = next(f for f in second.figures if f.split == "test" and f.system == "voice")
    assert chance.figures["auc"].low <= 0.5 <= chance.figures["auc"].high
    whole = [
        gather(tiny_encoder(), [replace(r, parts_s=()) for r in read_corpus(tmp_path / name)[:1]])[0].features[VOICE]
        for name in ("plain", "told")
    ]
    assert not np.array_equal(*whole), "she would be heard, if she were not cut out"


def same_audio(first: Path, second: Path) -> bool:
    names = sorted(path.relative_to(first) for path in first.rglob("*_AUDIO.wav"))
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_silence_gets_the_same_answer_whoever_is_silent(bank: Bank, trained: DepressionTrained, tmp_path: Path):
    write_interviews(tmp_path / "silent", bank, Scene(counts=SMALL, silent=True))
    silent = read_corpus(tmp_path / "silent", name="daic-woz")
    trained.save(tmp_path / "model")
    people, _ = gather(trained.encoder, silent)
    logit, phq8 = say(trained.encoder, None, people, (VOICE,))
    assert len(set(logit)) == len(set(phq8)) == 1
    assert {f.figures["auc"].value for f in judge_folder(tmp_path / "model", silent)} == {0.5}
    with pytest.raises(CorpusError, match="no interview has speech"):
        train_depression(tiny_encoder(), silent, PLAN)


def test_nobody_is_in_two_parts(folder: Path, interviews: list[Recording], tmp_path: Path):
    parts: dict[str, set[str]] = {}
    for r in interviews:
        parts.setdefault(str(r.split), set()).add(r.speaker)
    assert not parts["train"] & parts["dev"]
    assert not (parts["train"] | parts["dev"]) & parts["test"]
    for path in folder.glob("*.csv"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "dev_split.csv").write_text("Participant_ID,PHQ8_Binary,PHQ8_Score,Gender\n302,1,14,0\n")
    for session in folder.glob("*_P"):
        (tmp_path / session.name).symlink_to(session)
    with pytest.raises(CorpusError, match="302 is in two parts"):
        read_corpus(tmp_path, "daic-woz")
    moved = [replace(r, corpus="e-daic", split="test") for r in interviews if r.split == "train"]
    with pytest.raises(CorpusError, match="one of the two"):
        train_depression(tiny_encoder(), [*interviews, *moved], PLAN)


def test_the_labels_of_the_test_part_teach_nothing(interviews: list[Recording], work: Path, trained: DepressionTrained):
    def turned(recording: Recording) -> Recording:
        return replace(recording, phq8=24 - (recording.phq8 or 0)) if recording.split == "test" else recording

    other = train_depression(listener(), [turned(r) for r in interviews], PLAN, work)
    assert torch.equal(other.encoder.heads.weight, trained.encoder.heads.weight)
    assert other.encoder.affect.temperature == trained.encoder.affect.temperature


def test_a_part_without_both_answers_is_refused(interviews: list[Recording], work: Path):
    with pytest.raises(CorpusError, match="part dev"):
        train_depression(tiny_encoder(), [r for r in interviews if r.split != "dev" or r.depressed], PLAN, work)


def test_figures_are_what_they_are_called():
    said = Said(
        np.array([1.0, 1, 0, 0]),
        np.array([12.0, 16, 4, np.nan]),
        np.array([2.0, -1, -2, 1]),
        np.array([10.0, 12, 4, 9]),
    )
    [row] = participant_figures("c", "test", {"voice": said}, 500, 7)
    found = {name: interval.value for name, interval in row.figures.items()}
    assert found["f1"] == pytest.approx(0.5)
    assert found["f1_macro"] == pytest.approx(0.5)
    assert found["auc"] == pytest.approx(0.75)
    assert found["rmse"] == pytest.approx(np.sqrt((4 + 16 + 0) / 3))
    assert found["mae"] == pytest.approx(2.0)
    truth, estimate = np.array([12.0, 16, 4]), np.array([10.0, 12, 4])
    together = 2 * np.cov(truth, estimate, bias=True)[0, 1]
    ccc = together / (truth.var() + estimate.var() + (truth.mean() - estimate.mean()) ** 2)
    assert found["ccc"] == pytest.approx(ccc)
    assert all(i.low <= i.value <= i.high for i in row.figures.values())


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    hits, rng = 0, np.random.default_rng(1)
    for seed in range(60):
        y = rng.integers(0, 2, 60).astype(float)
        said = Said(y, y * 10, y * 1.0 + rng.normal(0, 1, 60), y * 10 + rng.normal(0, 2, 60))
        [row] = participant_figures("c", "test", {"voice": said}, 200, seed)
        hits += row.figures["rmse"].low <= 2.0 <= row.figures["rmse"].high
    assert hits >= 50


def test_a_command_leads_from_the_corpus_to_a_challenger_in_mlflow(
    settings: Settings,
    registry_template: Path,  # noqa: F811
    folder: Path,
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    home = copy_registry(registry_template, settings)
    monkeypatch.setenv("AFFECT_HOME", str(home.home))
    monkeypatch.setenv("AFFECT_MLFLOW_URI", str(home.mlflow_uri))
    tiny_encoder().save(tmp_path / "base")
    out = tmp_path / "model"
    words = ["model", "train", "--encoder", str(tmp_path / "base"), "--out", str(out), "--work", str(work)]
    words += ["--corpus", f"daic-woz={folder}", "--modalities", "voice,face,timing", "--challenger"]
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == 0, result.output
    version = find_version(home, "challenger")
    assert version.version.digest == folder_digest(out)
    assert set(version.metrics["gate"]) == {"daic-woz.depression"}
    with mlflow_client(home) as client:
        run_id = result.output.split("MLflow run ")[1].split()[0]
        run = client.get_run(run_id)
        assert run.data.tags["model_digest"] == folder_digest(out)
        assert run.data.metrics["daic-woz.test.voice.auc_low"] <= run.data.metrics["daic-woz.test.voice.auc"]
        assert "daic-woz.test.voice_face_timing.auc_gain" in run.data.metrics
        assert {"participants.json", "confusion.json", "calibration.vl.json", "data_digests.json"} <= {
            f.path for f in client.list_artifacts(run_id)
        }
        assert len(client.get_metric_history(run_id, "penalty.voice.log_loss")) == len(PLAN.penalties)
    card = model_card(out)
    assert "fitted on PHQ-8 questionnaire labels of daic-woz" in card
    assert "no low-mood proxy" in card
    assert "voice + face + timing" in card
    assert "actors who were told" not in card


def test_what_was_measured_of_the_other_heads_is_kept_and_the_gate_asks_no_proxy(
    trained: DepressionTrained, interviews: list[Recording], work: Path, tmp_path: Path
):
    tiny_encoder().save(tmp_path / "base")
    before = {"gate": {"ravdess.depression": 0.9, "ravdess.arousal": 0.8}, "figures": [], "digest": "x" * 64}
    (tmp_path / "base" / "evaluation.json").write_text(json.dumps(before))
    trained.save(tmp_path / "model")
    measured = write_evaluation(tmp_path / "base", tmp_path / "model", trained)
    assert set(measured["gate"]) == {"ravdess.arousal", "daic-woz.depression"}
    check_gate(measured, before)
    with pytest.raises(GateFailed, match=r"daic-woz\.depression"):
        check_gate(before, measured)
    with pytest.raises(GateFailed, match=r"ravdess\.depression"):
        check_gate({**measured, "gate": {"ravdess.arousal": 0.8}}, before)
    report = evaluate_model(Request(tmp_path / "model", [interviews], references=False, work=work, timed_journals=1))
    assert report.gate()["daic-woz.depression"] == measured["gate"]["daic-woz.depression"]
    again = [{**row.as_json(), "gains": {}} for row in report.participants]
    assert [r["n"] for r in again] == [r["n"] for r in measured["participants"]]
    assert {j.protocol for j in judge(trained.encoder, [interviews], work)} == {"official test part"}
