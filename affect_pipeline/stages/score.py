"""The score stage: the journals of one shard that passed their quality checks, scored by the champion.

Reads ``prepared/shard-NNN.arrow``, ``measure/shard-NNN.parquet`` and ``verdicts.parquet`` of the run,
writes ``scores/shard-NNN.parquet``, then the warehouse, in one transaction. The audio is read from a
memory-mapped file as it is scored; memory does not grow with the shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from affect_pipeline.errors import AffectError, JournalError
from affect_pipeline.files import mapped_arrow, read_metadata, read_parquet, write_parquet
from affect_pipeline.model.provenance import file_digest
from affect_pipeline.model.registry import resolve
from affect_pipeline.model.score_rows import JournalScorer, score_table, write_scores
from affect_pipeline.model.scorer import Scorer
from affect_pipeline.nights import Nights
from affect_pipeline.placement import threads_of
from affect_pipeline.privacy.encryption import VoiceKeys, open_samples
from affect_pipeline.settings import Settings
from affect_pipeline.telemetry import measured

SCORER_VERSION = 1
"""Raised when the way from samples to scores changes, so that stored scores are made anew."""

PASSED = ("accepted", "warned")

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


@measured("score")
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
        threads = threads_of(settings, len(list(inputs.prepared.parent.glob("shard-*.arrow"))))
        scorer = opener(model.folder, settings.model_copy(update={"threads": threads}))
        table = score_table(inputs.journals, inputs.audio(settings), model.version.digest, scorer)
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

    def audio(self, settings: Settings) -> Iterator[tuple[str, npt.NDArray[np.int16]]]:
        """Yield the prepared audio of the chosen journals, in the order of the file."""
        chosen = set(self.journals["journal_id"].to_pylist())
        keys = VoiceKeys(settings)
        with mapped_arrow(self.prepared) as reader:
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                if "sealed" in batch.schema.names:
                    yield from _opened(batch, chosen, keys)
                    continue
                column = batch.column("audio")
                edges, samples = column.offsets.to_numpy(), column.values.to_numpy(zero_copy_only=True)
                for row, journal_id in enumerate(batch.column("journal_id").to_pylist()):
                    if journal_id in chosen and edges[row + 1] > edges[row]:
                        yield journal_id, samples[edges[row] : edges[row + 1]]


def _opened(batch: pa.RecordBatch, chosen: set[str], keys: VoiceKeys) -> Iterator[tuple[str, npt.NDArray[np.int16]]]:
    """Yield encrypted prepared audio; that of a patient who was erased since is passed over."""
    for journal_id, sealed in zip(*(batch.column(name) for name in ("journal_id", "sealed")), strict=True):
        if journal_id.as_py() not in chosen:
            continue
        try:
            yield journal_id.as_py(), open_samples(sealed.as_buffer(), journal_id.as_py(), keys)
        except JournalError as error:
            if error.reason != "voice_erased":
                raise


def _made_by(stage: str, path: Path) -> Path:
    if not path.exists():
        raise AffectError(f"{path} is missing: run the stage {stage!r} of these nights first")
    return path
