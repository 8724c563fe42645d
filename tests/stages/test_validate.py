from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from affect_pipeline.errors import AffectError, QualityGateError
from affect_pipeline.files import read_parquet
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.collect import collect
from affect_pipeline.stages.measure import measure
from affect_pipeline.stages.validate import ValidateResult, docs_path, validate, verdicts_path
from affect_pipeline.warehouse.hash import content_hash
from affect_pipeline.warehouse.queries import sql
from tests.audio import Voice, deliver, encode, sidecar, speech

NIGHT = Nights.parse("2026-01-05")
PAUSES = ((0.0, 0.5), (3.0, 0.6))


def good(seed: int = 0) -> bytes:
    return encode(speech(Voice(duration_s=6.0, pauses=PAUSES, seed=seed)))


def noisy(seed: int = 0) -> bytes:
    return encode(speech(Voice(duration_s=6.0, pauses=PAUSES, snr_db=6.0, seed=seed)))


def clipped() -> bytes:
    return encode(np.clip(speech(Voice(pauses=PAUSES)) * 30, -1, 1))


def run(settings: Settings) -> ValidateResult:
    for shard in collect(settings, NIGHT).shards:
        measure(settings, NIGHT, shard)
    return validate(settings, NIGHT)


def put(settings: Settings, name: str, audio: bytes, description: bytes | None = None) -> None:
    deliver(Path(settings.landing), "2026-01-05", name, "a.wav", audio, description or sidecar())


def select(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


@pytest.fixture
def night(warehouse_settings: Settings, warehouse: Engine) -> Settings:
    put(warehouse_settings, "p1", good(1))
    put(warehouse_settings, "p2", noisy())
    put(warehouse_settings, "p3", clipped())
    put(warehouse_settings, "Erika Mustermann", b"no audio at all")
    return warehouse_settings


def test_journals_are_accepted_or_quarantined_with_the_names_of_what_they_failed(
    night: Settings, warehouse: Engine
) -> None:
    result = run(night)
    assert (result.n_accepted + result.n_warned, result.n_quarantined) == (1, 3)
    assert result.by_reason == {"clipping_at_most_5_percent": 1, "not_audio": 1, "snr_at_least_12_db": 1}
    assert result.shards_to_score == (0,)
    statuses = dict(
        select(warehouse, "SELECT status, array_agg(failed::text ORDER BY failed) FROM journals GROUP BY 1")
    )
    assert statuses["quarantined"] == ["{clipping_at_most_5_percent}", "{not_audio}", "{snr_at_least_12_db}"]
    verdicts = read_parquet(verdicts_path(night, NIGHT)).to_pylist()
    assert [row["journal_id"] for row in verdicts] == sorted(row["journal_id"] for row in verdicts)
    assert sum(row["status"] == "quarantined" for row in verdicts) == 3


def test_the_warehouse_holds_quality_of_all_that_decoded_and_biomarkers_of_what_passed(
    night: Settings, warehouse: Engine
) -> None:
    run(night)
    assert select(warehouse, "SELECT count(*) FROM audio_quality") == [(3,)]
    assert select(warehouse, "SELECT count(*), bool_and(f0_median_hz BETWEEN 100 AND 140) FROM biomarkers") == [
        (1, True)
    ]
    failed = select(
        warehouse, "SELECT expectation, metric, value < 12 FROM quality_checks WHERE verdict = 'failed' ORDER BY 1"
    )
    assert ("snr_at_least_12_db", "snr_db", True) in failed
    assert select(warehouse, "SELECT n_found, n_journals, n_quarantined FROM nights") == [(4, 4, 3)]


def test_data_docs_of_the_night_hold_no_identifiers(night: Settings, warehouse: Engine) -> None:
    run(night)
    pages = [path.read_text() for path in docs_path(night, NIGHT).rglob("*.html")]
    assert any("snr_db" in page for page in pages)
    assert not any("Mustermann" in page for page in pages)


def test_a_second_run_leaves_the_same_rows_and_files(night: Settings, warehouse: Engine) -> None:
    run(night)
    before = content_hash(warehouse), verdicts_path(night, NIGHT).read_bytes()
    run(night)
    assert (content_hash(warehouse), verdicts_path(night, NIGHT).read_bytes()) == before


def test_a_night_without_journals_is_a_night(warehouse_settings: Settings, warehouse: Engine) -> None:
    Path(warehouse_settings.landing).mkdir(parents=True)
    assert run(warehouse_settings) == ValidateResult(0, 0, 0, {}, ())
    assert select(warehouse, "SELECT night, n_found FROM nights") == [(date(2026, 1, 5), 0)]


def test_a_released_journal_is_accepted_when_its_night_is_run_again_even_if_it_left_the_landing_zone(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    put(warehouse_settings, "p1", noisy(), sidecar(sex="f"))
    assert run(warehouse_settings).n_quarantined == 1
    with warehouse.begin() as connection:
        (journal_id,) = connection.execute(sa.text("SELECT journal_id FROM journals")).one()
        release = {"journal_id": journal_id, "actor": "anna", "reason": "I listened to it"}
        connection.execute(sa.text(sql("intake/add_release")), release)
    for path in Path(warehouse_settings.landing).rglob("a.*"):
        path.unlink()
    result = run(warehouse_settings)
    assert (result.n_warned, result.n_quarantined, result.shards_to_score) == (1, 0, (0,))
    ((status, warned),) = select(warehouse, "SELECT status, warned FROM journals")
    assert status == "warned"
    assert "released_by_a_person" in warned  # type: ignore[operator]
    assert select(warehouse, "SELECT sex FROM patients") == [("f",)]
    assert select(warehouse, "SELECT count(*) FROM biomarkers") == [(1,)]


def test_what_a_journal_left_behind_goes_when_it_is_quarantined_after_all(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    put(warehouse_settings, "p1", good())
    run(warehouse_settings)
    assert select(warehouse, "SELECT count(*) FROM biomarkers") == [(1,)]
    put(warehouse_settings, "p1", good(), sidecar(consent=None))
    assert run(warehouse_settings).by_reason == {"consent_missing": 1}
    assert select(warehouse, "SELECT count(*) FROM biomarkers") == [(0,)]


def test_a_night_that_mostly_fails_stops_loudly_after_saying_what_it_found(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    for number in range(8):
        put(warehouse_settings, f"p{number}", noisy(number) if number < 5 else good(number))
    with pytest.raises(QualityGateError, match="5 of 8"):
        run(warehouse_settings)
    assert select(warehouse, "SELECT n_quarantined FROM nights") == [(5,)]
    assert docs_path(warehouse_settings, NIGHT).is_dir()
    assert run(warehouse_settings.model_copy(update={"max_failed_share": 0.7})).n_quarantined == 5


def test_a_shard_that_was_not_measured_is_an_error(warehouse_settings: Settings, warehouse: Engine) -> None:
    put(warehouse_settings, "p1", good())
    collect(warehouse_settings, NIGHT)
    with pytest.raises(AffectError, match="shard 0 of 2026-01-05 was not measured"):
        validate(warehouse_settings, NIGHT)
