"""Scores as rows of the warehouse: what the nightly stage and the re-scoring of history share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from affect_pipeline.files import read_json
from affect_pipeline.model.encoder import AFFECT_FILE, read_metrics
from affect_pipeline.model.registry import ResolvedModel
from affect_pipeline.model.scorer import OUTPUT_COLUMNS, JournalScore
from affect_pipeline.model.summary import finite, one_line
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.load import upsert

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
        "metrics": finite(read_metrics(model.folder)),
        "registered_at": model.version.registered_at,
    }
    with connect(settings).begin() as connection:
        upsert(connection, "model_versions", pd.DataFrame([version]))
        upsert(connection, "scores", table)
