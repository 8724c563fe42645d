from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from affect_pipeline.errors import AffectError, DigestMismatch, ModelError, RegistryUnavailable, SignatureRefused
from affect_pipeline.files import read_parquet, write_arrow, write_parquet
from affect_pipeline.model.registry import resolve
from affect_pipeline.model.score_rows import JournalScorer
from affect_pipeline.model.scorer import JournalScore, Scorer
from affect_pipeline.model.signing import new_key
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.score import score
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert
from tests.model.registries import copy_registry, registry_template
from tests.warehouse import rows

__all__ = ["registry_template"]

NIGHTS = Nights.one(rows.DAY)
RATE = 16_000
STATUS = {"one": "accepted", "two": "warned", "three": "quarantined", "four": "accepted"}
AUDIO: dict[str, npt.NDArray[np.int16]] = {
    name: np.random.default_rng(seed).normal(0, 2000, int(seconds * RATE)).astype(np.int16)
    for seed, (name, seconds) in enumerate({"one": 2.0, "two": 7.5, "three": 1.0, "four": 3.3}.items())
}


@pytest.fixture
def night(warehouse_settings: Settings, registry_template: Path) -> Settings:
    """An installation with a champion, and one shard of a night that was measured and validated."""
    settings = copy_registry(registry_template, warehouse_settings)
    with connect(settings).begin() as connection:
        upsert(connection, "patients", rows.frame(rows.patient()))
        upsert(connection, "journals", rows.frame(*(rows.journal(name) for name in STATUS)))
    write_shard(settings.work_dir / NIGHTS.name, list(STATUS))
    return settings


def write_shard(folder: Path, names: list[str], audio: dict[str, npt.NDArray[np.int16]] = AUDIO) -> None:
    ids = pa.array([rows.digest(name) for name in names])
    days = pa.array([rows.DAY] * len(names), pa.date32())
    patients = pa.array([rows.key("patient")] * len(names))
    status = pa.array([STATUS[name] for name in names])
    write_parquet(
        pa.table({"journal_id": ids, "patient_key": patients, "local_day": days}), folder / "measure/shard-000.parquet"
    )
    write_parquet(pa.table({"journal_id": ids, "status": status}), folder / "verdicts.parquet")
    schema = pa.schema([("journal_id", pa.string()), ("audio", pa.list_(pa.int16()))])
    batches = [
        pa.record_batch({"journal_id": [rows.digest(name)], "audio": [audio[name]]}, schema=schema) for name in names
    ]
    write_arrow(batches, folder / "prepared/shard-000.arrow", schema)


def stored(settings: Settings) -> pd.DataFrame:
    with connect(settings).connect() as connection:
        return pd.read_sql(sa.text("SELECT * FROM affect.scores ORDER BY journal_id, model_digest"), connection)


def test_accepted_and_warned_journals_are_scored_and_quarantined_ones_are_not(night: Settings) -> None:
    result = score(night, NIGHTS, 0)
    table = stored(night)
    champion = resolve(night)
    assert result.as_dict() == {"n_scored": 3, "model_digest": champion.version.digest}
    assert set(table["journal_id"]) == {rows.digest(name) for name in ("one", "two", "four")}
    [alone] = Scorer(champion.folder).score([AUDIO["two"]])
    row = table.set_index("journal_id").loc[rows.digest("two")]
    assert row["valence"] == alone.valence
    assert row["depression_logit_se"] == alone.depression_logit_se
    assert row["n_windows"] == alone.n_windows == 2
    with connect(night).connect() as connection:
        [version] = connection.execute(sa.text("SELECT * FROM affect.model_versions")).mappings()
    assert (version["model_digest"], version["registry_version"]) == (champion.version.digest, 1)
    assert "low-mood proxy" in version["description"]


class Counting:
    """A scorer that says what it was asked to score."""

    def __init__(self) -> None:
        self.opened, self.lengths = 0, list[int]()

    def open(self, _folder: Path, _settings: Settings) -> JournalScorer:
        self.opened += 1
        return self

    def stream(self, audios: Iterable[npt.NDArray[np.int16]]) -> Iterator[JournalScore]:
        for audio in audios:
            self.lengths.append(audio.size)
            value = audio.size / 1e6
            yield JournalScore(0.5, value, 0.1, value, 0.1, value, 0.1, 1, np.zeros(2, np.float32))


def test_a_second_run_scores_nothing_and_leaves_the_same_rows_and_bytes(night: Settings) -> None:
    scorer = Counting()
    path = night.work_dir / NIGHTS.name / "scores/shard-000.parquet"
    score(night, NIGHTS, 0, scorer.open)
    before, content = stored(night), path.read_bytes()
    assert score(night, NIGHTS, 0, scorer.open).n_scored == 3
    assert scorer.opened == 1
    pd.testing.assert_frame_equal(stored(night), before)
    path.unlink()
    score(night, NIGHTS, 0, scorer.open)
    assert (scorer.opened, path.read_bytes()) == (2, content)


def test_other_audio_verdicts_or_order_of_the_shard_are_noticed(night: Settings) -> None:
    scorer = Counting()
    score(night, NIGHTS, 0, scorer.open)
    folder = night.work_dir / NIGHTS.name
    table = read_parquet(folder / "scores/shard-000.parquet")
    write_shard(folder, list(reversed(STATUS)))
    score(night, NIGHTS, 0, scorer.open)
    assert scorer.opened == 2
    assert read_parquet(folder / "scores/shard-000.parquet") == table, "the order of a shard changes no row"
    write_shard(folder, list(STATUS), AUDIO | {"one": AUDIO["one"][:-1]})
    score(night, NIGHTS, 0, scorer.open)
    assert AUDIO["one"].size - 1 in scorer.lengths


def test_a_shard_without_accepted_journals_has_an_empty_file(night: Settings) -> None:
    write_shard(night.work_dir / NIGHTS.name, ["three"])
    assert score(night, NIGHTS, 0).n_scored == 0
    assert read_parquet(night.work_dir / NIGHTS.name / "scores/shard-000.parquet").num_rows == 0


def nothing_was_written(settings: Settings) -> bool:
    scores = settings.work_dir / NIGHTS.name / "scores"
    return stored(settings).empty and not (scores.exists() and list(scores.iterdir()))


def test_without_a_champion_the_stage_fails_at_once_and_writes_nothing(night: Settings) -> None:
    settings = night.model_copy(update={"model_alias": "nobody"})
    with pytest.raises(ModelError, match="affect model register"):
        score(settings, NIGHTS, 0)
    assert nothing_was_written(settings)


def test_an_unreachable_registry_is_named_by_its_setting_and_nothing_is_written(night: Settings) -> None:
    settings = night.model_copy(update={"mlflow_uri": "postgresql://nobody:secret@localhost:1/mlflow"})
    with pytest.raises(RegistryUnavailable, match="AFFECT_MLFLOW_URI") as caught:
        score(settings, NIGHTS, 0)
    assert "secret" not in str(caught.value)
    assert nothing_was_written(settings)


def test_a_model_that_nobody_trusted_has_signed_stops_the_night_and_nothing_is_scored(
    night: Settings, tmp_path: Path
) -> None:
    trusting = night.model_copy(update={"model_public_key_file": new_key(tmp_path / "key.pem")})

    with pytest.raises(SignatureRefused, match="not signed"):
        score(trusting, NIGHTS, 0)

    assert stored(night).empty


def test_a_flipped_byte_in_the_weights_is_refused_before_anything_is_scored(night: Settings) -> None:
    weights = resolve(night).folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(DigestMismatch, match="changed or damaged"):
        score(night, NIGHTS, 0)
    assert nothing_was_written(night)


def test_a_missing_input_names_the_stage_that_makes_it(night: Settings) -> None:
    with pytest.raises(AffectError, match="run the stage 'measure'"):
        score(night, Nights.one(date(2026, 1, 6)), 0)
