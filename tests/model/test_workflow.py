from __future__ import annotations

from pathlib import Path

import pytest

from affect_pipeline.errors import CorpusError, GateFailed, ModelError, UnsafeModel
from affect_pipeline.files import write_json
from affect_pipeline.model.encoder import folder_digest, tiny_encoder
from affect_pipeline.model.lifecycle import check_gate
from affect_pipeline.model.registry import find_alias, find_version, resolve
from affect_pipeline.model.shadow import RescoreResult
from affect_pipeline.model.workflow import (
    Corpora,
    approval_text,
    candidate_folder,
    compare_recent,
    evaluate_candidate,
    fit_heads,
    history_shards,
    promote_challenger,
    register_challenger,
    rescore_history,
    shadow_score,
    train_candidate,
    training_work,
)
from affect_pipeline.privacy.audit import list_events
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from tests.audio import Voice, encode, speech
from tests.model.clinic import N_JOURNALS, clinic, recordings, registry_template

__all__ = ["clinic", "recordings", "registry_template"]

RUN = "manual__2026-01-05T00:00:00+00:00"


def made_elsewhere(folder: Path, seed: int = 1, auc: float = 0.9) -> str:
    tiny_encoder(seed).save(folder)
    write_json({"gate": {"auc": auc}}, folder / "evaluation.json")
    return str(folder)


def test_a_model_made_elsewhere_becomes_champion_step_by_step(clinic: Settings, tmp_path: Path) -> None:
    champion = resolve(clinic).version
    folder = train_candidate(clinic, RUN, Corpora({}), made_elsewhere(tmp_path / "gpu"))
    assert folder == candidate_folder(clinic, RUN) / "model"
    assert evaluate_candidate(folder, Corpora({}), tmp_path) == {"gate": {"auc": 0.9}}
    version = register_challenger(clinic, folder)
    which = str(version.version)
    assert find_alias(clinic, "challenger") == version
    assert shadow_score(clinic, which, days=2) == RescoreResult(2 * 2, 0), "two days, by both models"
    comparison = compare_recent(clinic, which, days=2)
    assert comparison.n_journals == 2
    text = approval_text(clinic, which, comparison)
    assert "| auc | n/a | 0.900 |" in text
    assert "2 journals of 2 patients" in text
    assert resolve(clinic).version == champion, "until it is approved and re-scored, nothing changes"
    with pytest.raises(ModelError, match="has not scored 4 journals"):
        promote_challenger(clinic, which)
    shards = history_shards(clinic.model_copy(update={"journals_per_shard": 2}), which)
    assert shards == [0, 1]
    assert sum((rescore_history(clinic, which, shard, 2) for shard in shards), RescoreResult(0, 0)).n_scored == 4
    assert history_shards(clinic, which) == []
    assert promote_challenger(clinic, which, approved_by="ann").champion == version == resolve(clinic).version
    assert list_events(connect(clinic), action="model_promoted")[0]["actor"] == "ann"


def test_each_step_can_be_run_again(clinic: Settings, tmp_path: Path) -> None:
    given = made_elsewhere(tmp_path / "gpu")
    folder = train_candidate(clinic, RUN, Corpora({}), given)
    digest = folder_digest(folder)
    made_elsewhere(tmp_path / "gpu", seed=5)
    assert folder_digest(train_candidate(clinic, RUN, Corpora({}), given)) == digest
    version = register_challenger(clinic, folder)
    assert register_challenger(clinic, folder) == version
    shadow_score(clinic, "challenger", days=30)
    assert shadow_score(clinic, "challenger", days=30) == RescoreResult(0, 0)
    assert compare_recent(clinic, "challenger", days=30).n_journals == N_JOURNALS


def test_a_worse_candidate_does_not_become_challenger(clinic: Settings, tmp_path: Path) -> None:
    good = register_challenger(clinic, Path(made_elsewhere(tmp_path / "good", seed=2, auc=0.95)))
    shadow_score(clinic, "challenger", days=30)
    promote_challenger(clinic, "challenger")
    with pytest.raises(GateFailed, match=r"auc 0\.900 against 0\.950"):
        register_challenger(clinic, Path(made_elsewhere(tmp_path / "worse", seed=3)))
    assert find_version(clinic, "challenger").version == good


def test_a_training_without_corpora_or_with_an_unsafe_folder_is_refused(clinic: Settings, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="NAME=FOLDER"):
        train_candidate(clinic, RUN, Corpora({}))
    given = made_elsewhere(tmp_path / "gpu")
    (tmp_path / "gpu" / "head.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeModel, match=r"head\.pkl"):
        train_candidate(clinic, RUN, Corpora({}), given)
    assert not candidate_folder(clinic, RUN).exists()


@pytest.mark.parametrize("text", ["ravdess", "=folder", "ravdess=", "ravdess=/does/not/exist"])
def test_a_corpus_that_is_not_named_or_not_there_is_refused(text: str) -> None:
    with pytest.raises(CorpusError):
        Corpora.parse([text])


@pytest.fixture(scope="module")
def acted(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    """Four voices that act three moods, each in its own way."""
    folder = tmp_path_factory.mktemp("corpora") / "acted"
    folder.mkdir()
    lines = ["path,speaker,label,language"]
    for speaker in range(4):
        for take, (label, spread) in enumerate({"neutral": 1.0, "sad": 0.2, "happy": 4.0, "angry": 3.0}.items()):
            voice = Voice(duration_s=1.5, f0_hz=110 + 20 * speaker, f0_sd_st=spread, seed=10 * speaker + take)
            (folder / f"{speaker}-{label}.wav").write_bytes(encode(speech(voice)))
            lines.append(f"{speaker}-{label}.wav,speaker {speaker},{label},en")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return Corpora.parse([f"acted={folder}"])


def test_a_candidate_is_trained_on_the_champions_encoder_and_measured(
    clinic: Settings, acted: Corpora, tmp_path: Path
) -> None:
    champion = resolve(clinic)
    folder = train_candidate(clinic, RUN, acted)
    assert folder_digest(folder) != champion.version.digest
    fit_heads(champion.folder, tmp_path / "again", acted, training_work(clinic))
    assert folder_digest(tmp_path / "again") == folder_digest(folder), "training again gives the same model"
    metrics = evaluate_candidate(folder, acted, training_work(clinic), timed_journals=1)
    assert set(metrics["gate"]) == {"acted.depression", "acted.valence", "acted.arousal"}
    assert metrics["digest"] == folder_digest(folder)
    assert find_version(clinic, str(register_challenger(clinic, folder).version)).metrics == metrics


def test_a_corpus_for_testing_only_gates_a_candidate_and_teaches_it_nothing(
    clinic: Settings, acted: Corpora, tmp_path: Path
) -> None:
    both = Corpora({**acted.folders, "emodb": acted.folders["acted"]})
    work = training_work(clinic)
    fit_heads(resolve(clinic).folder, tmp_path / "alone", acted, work)
    fit_heads(resolve(clinic).folder, tmp_path / "both", both, work)
    assert folder_digest(tmp_path / "alone") == folder_digest(tmp_path / "both")
    metrics = evaluate_candidate(tmp_path / "both", both, work, timed_journals=1)
    corpora = {key.partition(".")[0] for key in metrics["gate"]}
    assert corpora == {"acted", "emodb"}, "neither corpus decides alone"
    better = {**metrics["gate"], "emodb.depression": 1.0, "acted.arousal": metrics["gate"]["acted.arousal"] - 0.1}
    with pytest.raises(GateFailed, match=r"acted\.arousal"):
        check_gate({"gate": better}, metrics)


def test_a_candidate_that_was_not_measured_needs_a_corpus(tmp_path: Path) -> None:
    tiny_encoder(1).save(tmp_path / "model")
    with pytest.raises(ModelError, match="was not measured"):
        evaluate_candidate(tmp_path / "model", Corpora({}), tmp_path)
