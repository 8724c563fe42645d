from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from affect_pipeline.errors import GateFailed, ModelError
from affect_pipeline.files import read_parquet, write_json
from affect_pipeline.model.encoder import tiny_encoder
from affect_pipeline.model.lifecycle import check_gate, promote, rollback
from affect_pipeline.model.lookup import ModelVersion, find_alias
from affect_pipeline.model.registry import ResolvedModel, fetch, register, resolve
from affect_pipeline.model.shadow import RescoreResult, compare, history_scored, history_start, rescore
from affect_pipeline.privacy.audit import list_events, system_user
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert
from tests.model.clinic import FIRST, N_JOURNALS, challenger, clinic, recordings, registry_template
from tests.model.registries import copy_registry
from tests.warehouse import rows

__all__ = ["challenger", "clinic", "recordings", "registry_template"]


def resolved(settings: Settings, version: ModelVersion) -> ResolvedModel:
    return ResolvedModel(version, fetch(settings, version))


def stored(settings: Settings, version: ModelVersion) -> list[tuple[object, ...]]:
    query = sa.text("SELECT * FROM affect.scores WHERE model_digest = :digest ORDER BY journal_id")
    with connect(settings).connect() as connection:
        return [tuple(row) for row in connection.execute(query, {"digest": version.digest})]


def test_rescoring_fills_what_is_missing_once_and_in_parts(clinic: Settings, challenger: ModelVersion) -> None:
    model = resolved(clinic, challenger)
    early = rescore(clinic, model, FIRST, FIRST + timedelta(days=2))
    assert early == RescoreResult(n_scored=3, n_without_audio=0)
    parts = [rescore(clinic, model, FIRST, shard=shard, n_shards=2) for shard in (0, 1)]
    assert sum(parts, early).n_scored == N_JOURNALS
    assert rescore(clinic, model, FIRST) == RescoreResult(0, 0)
    assert len(stored(clinic, challenger)) == N_JOURNALS


def test_rescored_history_equals_what_the_night_would_have_scored(clinic: Settings, challenger: ModelVersion) -> None:
    import pyarrow as pa

    from affect_pipeline.acoustics.measure import measure_audio
    from affect_pipeline.files import write_arrow, write_parquet
    from affect_pipeline.journals.decode import decode
    from affect_pipeline.nights import Nights
    from affect_pipeline.stages.score import score

    rescore(clinic, resolved(clinic, challenger), FIRST)
    rescored = [row[4:] for row in stored(clinic, challenger)]
    ids = sorted(path.name for path in clinic.raw_dir.rglob("*") if path.is_file())
    folder = clinic.work_dir / Nights.one(FIRST).name
    columns = {
        "journal_id": ids,
        "patient_key": [rows.key("patient 0")] * len(ids),
        "local_day": pa.array([FIRST] * len(ids), pa.date32()),
        "status": ["accepted"] * len(ids),
    }
    write_parquet(pa.table(columns), folder / "measure/shard-000.parquet")
    write_parquet(pa.table(columns), folder / "verdicts.parquet")
    prepared = [measure_audio(decode(clinic.raw_dir / i[:2] / i)).prepared for i in ids]
    batch = pa.record_batch({"journal_id": ids, "audio": pa.array(prepared, pa.list_(pa.int16()))})
    write_arrow([batch], folder / "prepared/shard-000.arrow", batch.schema)
    as_challenger = clinic.model_copy(update={"model_alias": "challenger"})
    assert score(as_challenger, Nights.one(FIRST), 0).n_scored == N_JOURNALS
    nightly = read_parquet(folder / "scores/shard-000.parquet").drop_columns(
        ["local_day", "journal_id", "patient_key", "model_digest"]
    )
    assert [tuple(row.values()) for row in nightly.to_pylist()] == rescored


def test_a_recording_that_was_erased_keeps_its_old_score_and_stops_nothing(
    clinic: Settings, challenger: ModelVersion
) -> None:
    erased = next(path for path in clinic.raw_dir.rglob("*") if path.is_file())
    erased.unlink()
    assert rescore(clinic, resolved(clinic, challenger), FIRST) == RescoreResult(N_JOURNALS - 1, 1)
    assert promote(clinic, "challenger").champion == challenger


def test_coverage_counts_the_journals_since_a_day(clinic: Settings, challenger: ModelVersion) -> None:
    rescore(clinic, resolved(clinic, challenger), FIRST + timedelta(days=4))
    with connect(clinic).connect() as connection:
        assert not history_scored(connection, challenger.digest, FIRST).complete
        assert history_scored(connection, challenger.digest, FIRST).n_missing == 4
        assert history_scored(connection, challenger.digest, FIRST + timedelta(days=4)).complete


def test_history_begins_where_the_champions_baselines_do(clinic: Settings) -> None:
    champion = resolve(clinic).version
    baseline = {
        "patient_key": rows.key("patient 0"), "model_digest": champion.digest, "channel": "valence", "segment": 0,
        "state": "ready", "reason": None, "ready_on": None, "first_day": FIRST + timedelta(days=2), "last_day": None,
        "n_days": 14, "mean": 0.0, "sd": 1.0, "autocorrelation": 0.0, "weekday_effects": None, "as_of_night": FIRST,
    }  # fmt: skip
    with connect(clinic).begin() as connection:
        assert history_start(connection, champion.digest) == FIRST
        upsert(connection, "baselines", rows.frame(baseline))
        assert history_start(connection, champion.digest) == FIRST + timedelta(days=2)


def test_comparison_is_over_the_same_journals(clinic: Settings, challenger: ModelVersion) -> None:
    champion = resolve(clinic)
    rescore(clinic, champion, FIRST)
    rescore(clinic, resolved(clinic, challenger), FIRST + timedelta(days=1))
    with connect(clinic).connect() as connection:
        same = compare(connection, champion.version.digest, champion.version.digest, FIRST)
        other = compare(connection, champion.version.digest, challenger.digest, FIRST)
    assert (same.n_journals, same.n_patients) == (N_JOURNALS, 2)
    assert all(row.max_difference == 0 and row.correlation == pytest.approx(1) for row in same.agreements)
    assert other.n_journals == N_JOURNALS - 1
    logits = {row.score: row for row in other.agreements}["depression_logit"]
    assert logits.max_difference > 0
    assert logits.limits[0] <= logits.mean_difference <= logits.limits[1]


def test_comparison_without_shared_journals_is_empty_and_json(clinic: Settings, tmp_path: Path) -> None:
    with connect(clinic).connect() as connection:
        empty = compare(connection, "a" * 64, "b" * 64, FIRST)
    assert (empty.n_journals, empty.agreements) == (0, ())
    write_json(empty.as_dict(), tmp_path / "comparison.json")


def test_a_challenger_is_promoted_only_after_it_scored_the_history(clinic: Settings, challenger: ModelVersion) -> None:
    champion = resolve(clinic).version
    with pytest.raises(ModelError, match="has not scored 6 journals since 2026-01-05"):
        promote(clinic, "challenger")
    assert find_alias(clinic, "champion") == champion
    rescore(clinic, resolved(clinic, challenger), FIRST)
    move = promote(clinic, "challenger")
    assert (move.champion, move.replaced) == (challenger, champion)
    assert resolve(clinic).version == challenger
    assert promote(clinic, "challenger").replaced is None, "promoting the champion changes nothing"


def test_a_rollback_restores_the_champion_before_once_it_scored_what_came_since(
    clinic: Settings, challenger: ModelVersion
) -> None:
    champion = resolve(clinic)
    with pytest.raises(ModelError, match="first champion"):
        rollback(clinic)
    rescore(clinic, resolved(clinic, challenger), FIRST)
    promote(clinic, "challenger")
    with pytest.raises(ModelError, match="has not scored 6 journals"):
        rollback(clinic)
    rescore(clinic, champion, FIRST)
    assert rollback(clinic).champion == champion.version
    assert resolve(clinic).version == champion.version
    with pytest.raises(ModelError, match="first champion"):
        rollback(clinic)


def test_who_promoted_and_rolled_back_is_in_the_audit_trail(clinic: Settings, challenger: ModelVersion) -> None:
    champion = resolve(clinic).version
    rescore(clinic, resolved(clinic, challenger), FIRST)
    rescore(clinic, resolve(clinic), FIRST)
    promote(clinic, "challenger")
    rollback(clinic)

    events = list_events(connect(clinic))

    assert [event["action"] for event in events] == ["model_rolled_back", "model_promoted"]
    assert [event["detail"]["digest"] for event in events] == [champion.digest, challenger.digest]
    assert {event["actor"] for event in events} == {system_user()}


def test_a_model_with_worse_gate_metrics_is_not_promoted(clinic: Settings, tmp_path: Path) -> None:
    for seed, auc in ((2, 0.95), (3, 0.90)):
        tiny_encoder(seed).save(tmp_path / f"m{seed}")
        write_json({"gate": {"ravdess_sad_auc": auc}}, tmp_path / f"m{seed}" / "evaluation.json")
    good, bad = register(clinic, tmp_path / "m2"), register(clinic, tmp_path / "m3")
    for version in (good, bad):
        rescore(clinic, resolved(clinic, version), FIRST)
    promote(clinic, str(good.version))
    with pytest.raises(GateFailed, match=r"ravdess_sad_auc 0\.900 against 0\.950"):
        promote(clinic, str(bad.version))
    assert resolve(clinic).version == good


@pytest.mark.parametrize(
    ("candidate", "error"),
    [
        ({"auc": 0.9, "uar": 0.7}, None),
        ({"auc": 0.897, "uar": 0.9}, None),
        ({"auc": 0.88, "uar": 0.9}, r"auc 0\.880"),
        ({"auc": 0.99}, "not measured"),
        ({}, "not measured"),
    ],
)
def test_the_gate_wants_every_metric_measured_and_none_worse(candidate: dict[str, float], error: str | None) -> None:
    champion = {"gate": {"auc": 0.9, "uar": 0.7}}
    check_gate({"gate": candidate}, {})
    if error is None:
        check_gate({"gate": candidate}, champion)
    else:
        with pytest.raises(GateFailed, match=error):
            check_gate({"gate": candidate}, champion)


def test_the_first_champion_needs_no_history(clinic: Settings, challenger: ModelVersion) -> None:
    elsewhere = clinic.model_copy(update={"model_name": "another"})
    encoder = tiny_encoder(4)
    encoder.affect = replace(encoder.affect, name="another")
    encoder.save(clinic.home / "another")
    version = register(elsewhere, clinic.home / "another")
    assert promote(elsewhere, str(version.version)).replaced is None
    assert find_alias(elsewhere, "champion") == version


def test_an_empty_warehouse_holds_no_history(
    warehouse_settings: Settings, registry_template: Path, tmp_path: Path
) -> None:
    settings = copy_registry(registry_template, warehouse_settings)
    tiny_encoder(1).save(tmp_path / "challenger")
    version = register(settings, tmp_path / "challenger", "challenger")
    assert promote(settings, "challenger").champion == version
    with connect(settings).connect() as connection:
        assert history_scored(connection, version.digest, date(2026, 1, 1)).complete
