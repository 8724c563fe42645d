"""The score stage: the journals of one shard that passed their quality checks, scored by the champion.

Reads ``prepared/shard-NNN.arrow``, ``measure/shard-NNN.parquet`` and ``verdicts.parquet`` of the run,
writes ``scores/shard-NNN.parquet``, then the warehouse, in one transaction. The audio is read from a
memory-mapped file as it is scored; memory does not grow with the shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from affect_pipeline.errors import AffectError
from affect_pipeline.files import mapped_arrow, read_json, read_metadata, read_parquet, write_parquet
from affect_pipeline.model.encoder import AFFECT_FILE, read_metrics
from affect_pipeline.model.provenance import file_digest
from affect_pipeline.model.registry import ResolvedModel, resolve
from affect_pipeline.model.scorer import OUTPUT_COLUMNS, JournalScore, Scorer
from affect_pipeline.model.summary import one_line
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert

SCORER_VERSION = 1
"""Raised when the way from samples to scores changes, so that stored scores are made anew."""

PASSED = ("accepted", "warned")

SCORES = pa.schema(
    [
        ("local_day", pa.date32()),
        ("journal_id", pa.string()),
        ("patient_key", pa.string()),
        ("model_digest", pa.string()),
        *((name, pa.int32() if name == "n_windows" else pa.float64()) for name in OUTPUT_COLUMNS),
    ]
)


class JournalScorer(Protocol):
    """What scores journals: `Scorer`, or something light in a test."""

    def stream(self, audios: Iterable[npt.NDArray[np.int16]]) -> Iterator[JournalScore]:
        """Score journals one after the other."""
        ...


OpenScorer = Callable[[Path, Settings], JournalScorer]


@dataclass(frozen=True)
class ScoreResult:
    """What one shard's scoring did.

    Parameters
    ----------
    n_scored : int
        Journals of the shard that have a score now.
    model_digest : str
        The model that scored them.
    """

    n_scored: int
    model_digest: str

    def as_dict(self) -> dict[str, int | str]:
        """Return the fields as JSON can hold them."""
        return asdict(self)


def open_scorer(folder: Path, settings: Settings) -> JournalScorer:
    """Load a verified model folder."""
    return Scorer(folder, threads=settings.threads)


def score(settings: Settings, nights: Nights, shard: int, opener: OpenScorer = open_scorer) -> ScoreResult:
    """Score the journals of one shard that were accepted, or accepted with a warning.

    Parameters
    ----------
    settings : Settings
        The installation.
    nights : Nights
        The nights of the run.
    shard : int
        The shard.
    opener : OpenScorer
        How a model folder becomes a scorer.

    Raises
    ------
    ModelError
        If there is no champion or it is refused; trying again does not help.
    RegistryUnavailable, WarehouseUnavailable
        If one cannot be reached.
    AffectError
        If an earlier stage did not leave its files.
    """
    model = resolve(settings)
    inputs = _Inputs.of(settings.work_dir / nights.name, shard)
    path = settings.work_dir / nights.name / "scores" / f"shard-{shard:03d}.parquet"
    identity = {"inputs": inputs.digest(), "model_digest": model.version.digest}
    if path.exists() and read_metadata(path) == identity:
        table = read_parquet(path)
    else:
        table = score_table(inputs.journals, inputs.audio(), model.version.digest, opener(model.folder, settings))
        write_parquet(table, path, identity)
    write_scores(settings, model, table)
    return ScoreResult(n_scored=table.num_rows, model_digest=model.version.digest)


@dataclass(frozen=True)
class _Inputs:
    """What a shard's scores are a function of, besides the model."""

    prepared: Path
    journals: pa.Table

    @classmethod
    def of(cls, run: Path, shard: int) -> _Inputs:
        prepared = _made_by("measure", run / "prepared" / f"shard-{shard:03d}.arrow")
        measured = _made_by("measure", run / "measure" / f"shard-{shard:03d}.parquet")
        verdicts = read_parquet(_made_by("validate", run / "verdicts.parquet"), ["journal_id", "status"])
        passed = verdicts.filter(pc.is_in(verdicts["status"], pa.array(PASSED)))["journal_id"]
        journals = read_parquet(measured, ["journal_id", "patient_key", "local_day"])
        chosen = journals.filter(pc.is_in(journals["journal_id"], passed.combine_chunks()))
        return cls(prepared, chosen.sort_by("journal_id"))

    def digest(self) -> str:
        rows = repr(self.journals.to_pydict())
        return hashlib.sha256(f"{SCORER_VERSION}:{file_digest(self.prepared)}:{rows}".encode()).hexdigest()

    def audio(self) -> Iterator[tuple[str, npt.NDArray[np.int16]]]:
        """Yield the prepared audio of the chosen journals, in the order of the file."""
        chosen = set(self.journals["journal_id"].to_pylist())
        with mapped_arrow(self.prepared) as reader:
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                column = batch.column("audio")
                edges, samples = column.offsets.to_numpy(), column.values.to_numpy(zero_copy_only=True)
                for row, journal_id in enumerate(batch.column("journal_id").to_pylist()):
                    if journal_id in chosen and edges[row + 1] > edges[row]:
                        yield journal_id, samples[edges[row] : edges[row + 1]]


def score_table(
    journals: pa.Table, audio: Iterable[tuple[str, npt.NDArray[np.int16]]], digest: str, scorer: JournalScorer
) -> pa.Table:
    """Return the rows of the table ``scores`` for journals.

    Parameters
    ----------
    journals : pyarrow.Table
        Columns ``journal_id``, ``patient_key``, ``local_day``; the rows that may be scored.
    audio : Iterable of (journal_id, samples)
        Prepared audio; consumed as it is scored.
    digest : str
        Digest of the scorer's model.
    scorer : JournalScorer
        The scorer.

    Returns
    -------
    pyarrow.Table
        One row a journal that has audio, sorted by journal_id; schema `SCORES`.
    """
    about = {row["journal_id"]: row for row in journals.to_pylist()}
    heard: list[str] = []

    def samples() -> Iterator[npt.NDArray[np.int16]]:
        for journal_id, piece in audio:
            heard.append(journal_id)
            yield piece

    scores = list(scorer.stream(samples()))
    rows: list[dict[str, Any]] = [
        about[journal_id] | {"model_digest": digest} | {name: getattr(score, name) for name in OUTPUT_COLUMNS}
        for journal_id, score in sorted(zip(heard, scores, strict=True), key=lambda pair: pair[0])
    ]
    return pa.Table.from_pylist(rows, SCORES)


def write_scores(settings: Settings, model: ResolvedModel, table: pa.Table) -> None:
    """Write scores, and which model they are from, to the warehouse in one transaction."""
    version = {
        "model_digest": model.version.digest,
        "name": model.version.name,
        "registry_version": model.version.version,
        "description": one_line(read_json(model.folder / AFFECT_FILE)),
        "metrics": read_metrics(model.folder),
        "registered_at": model.version.registered_at,
    }
    with connect(settings).begin() as connection:
        upsert(connection, "model_versions", _one_row(version))
        upsert(connection, "scores", table)


def _one_row(values: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.DataFrame([values])


def _made_by(stage: str, path: Path) -> Path:
    if not path.exists():
        raise AffectError(f"{path} is missing: run the stage {stage!r} of these nights first")
    return path
