"""Third stage: decide which recordings can be trusted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from affect_pipeline.errors import AffectError
from affect_pipeline.files import read_parquet, write_parquet
from affect_pipeline.journals.manifest import ManifestRow, manifest_path, read_manifest
from affect_pipeline.nights import Nights
from affect_pipeline.quality.suite import DocsTarget, SuiteResult, run_suite
from affect_pipeline.quality.verdicts import Judged, Verdict, check_gate, check_rows, count_reasons, judge
from affect_pipeline.settings import Settings
from affect_pipeline.stages.measure import biomarker_columns, measure_path, quality_columns
from affect_pipeline.telemetry import measured

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValidateResult:
    """Counts of the verdicts.

    Parameters
    ----------
    n_accepted, n_warned, n_quarantined : int
        Journals of each status.
    by_reason : dict
        How often each reason put a journal into quarantine.
    shards_to_score : tuple of int
        Shards with at least one journal to score.
    """

    n_accepted: int
    n_warned: int
    n_quarantined: int
    by_reason: dict[str, int]
    shards_to_score: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self) | {"shards_to_score": list(self.shards_to_score)}


def verdicts_path(settings: Settings, nights: Nights) -> Path:
    """Return where the verdicts of a run are."""
    return settings.work_dir / nights.name / "verdicts.parquet"


def docs_path(settings: Settings, nights: Nights) -> Path:
    """Return the folder of the Data Docs of a run."""
    return settings.docs_dir / nights.name


@measured("validate")
def validate(settings: Settings, nights: Nights) -> ValidateResult:
    """Judge the measured journals of a run, write verdicts, Data Docs and the warehouse.

    Parameters
    ----------
    settings : Settings
        Where files and the warehouse are; the limits of the quality gate.
    nights : Nights
        Range of the run.

    Returns
    -------
    ValidateResult

    Raises
    ------
    QualityGateError
        If too large a share of one night failed. What was found is written first.
    WarehouseUnavailable
        If the warehouse cannot be reached.
    AffectError
        If a shard was not measured.
    """
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    rows = {row.journal_id: row for row in read_manifest(manifest_path(settings, nights)) if row.shard is not None}
    measured = _read_measured(settings, nights, rows.values())
    journals = [_judged(rows[fact["journal_id"]], fact) for fact in _facts(measured)]
    frame = measured.to_pandas().assign(problem=[journal.problem for journal in journals])
    result = run_suite(frame, DocsTarget(docs_path(settings, nights), nights.name, nights.last))
    verdicts = judge(journals, result)
    write_parquet(verdict_table(verdicts), verdicts_path(settings, nights))
    with engine.begin() as connection:
        _load(connection, nights, measured, verdicts, result)
    check_gate(journals, verdicts, settings.max_failed_share, settings.min_journals_for_gate)
    return _count(rows, verdicts)


def verdict_table(verdicts: Sequence[Verdict]) -> pa.Table:
    """Return verdicts as a table with the columns of a verdict file."""
    import pyarrow as pa

    names = pa.list_(pa.string())
    schema = pa.schema([("journal_id", pa.string()), ("status", pa.string()), ("failed", names), ("warned", names)])
    return pa.Table.from_pylist([asdict(verdict) for verdict in verdicts], schema=schema)


def _read_measured(settings: Settings, nights: Nights, rows: Any) -> pa.Table:
    import pyarrow as pa

    from affect_pipeline.stages.measure import measure_table

    tables = [measure_table([])]
    for shard in sorted({row.shard for row in rows}):
        path = measure_path(settings, nights, shard)
        if not path.exists():
            raise AffectError(f"shard {shard} of {nights.name} was not measured: run the measure stage first")
        tables.append(read_parquet(path))
    return pa.concat_tables(tables).sort_by("journal_id")


def _facts(measured: pa.Table) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = measured.select(["journal_id", "problem", "speech_s"]).to_pylist()
    return facts


def _judged(row: ManifestRow, fact: dict[str, Any]) -> Judged:
    scorable = fact["problem"] is None and fact["speech_s"] > 0
    return Judged(row.journal_id, row.night, fact["problem"] or row.problem, row.released, scorable)


def _load(
    connection: sa.Connection, nights: Nights, measured: pa.Table, verdicts: Sequence[Verdict], result: SuiteResult
) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    from affect_pipeline.warehouse.load import upsert
    from affect_pipeline.warehouse.queries import sql

    ids = [verdict.journal_id for verdict in verdicts]
    quarantined = [verdict.journal_id for verdict in verdicts if verdict.status == "quarantined"]
    if ids:
        upsert(connection, "journal_verdicts", verdict_table(verdicts))
        stale = {"journal_ids": ids, "quarantined_ids": quarantined, "suite_version": result.version}
        connection.execute(sa.text(sql("delete_judgements")), stale)
        decoded = measured.filter(pc.is_null(measured["problem"]))
        upsert(connection, "audio_quality", decoded.select(["journal_id", *quality_columns()]))
        passed = decoded.filter(pc.invert(pc.is_in(decoded["journal_id"], pa.array(quarantined, pa.string()))))
        keys = ["journal_id", "patient_key", "local_day"]
        upsert(connection, "biomarkers", passed.select([*keys, *biomarker_columns()]))
        broken = pa.array(sorted(frozenset().union(*result.broken_by.values())), pa.string())
        values = measured.filter(pc.is_in(measured["journal_id"], broken)).to_pylist()
        if checks := check_rows({row["journal_id"]: row for row in values}, result):
            upsert(connection, "quality_checks", pa.Table.from_pylist(checks))
    bounds = {"first_night": nights.first, "last_night": nights.last}
    connection.execute(sa.text(sql("derive/nights")), bounds)


def _count(rows: dict[str, ManifestRow], verdicts: Sequence[Verdict]) -> ValidateResult:
    statuses = [verdict.status for verdict in verdicts]
    scored = {rows[verdict.journal_id].shard for verdict in verdicts if verdict.status != "quarantined"}
    return ValidateResult(
        n_accepted=statuses.count("accepted"),
        n_warned=statuses.count("warned"),
        n_quarantined=statuses.count("quarantined"),
        by_reason=count_reasons(verdicts),
        shards_to_score=tuple(sorted(shard for shard in scored if shard is not None)),
    )
