"""Second stage: decode each recording once, measure it, and prepare it for the model."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from affect_pipeline.errors import DecoderUnavailable, JournalError
from affect_pipeline.files import write_arrow, write_parquet
from affect_pipeline.journals.decode import DecodeLimits
from affect_pipeline.journals.manifest import ManifestRow, manifest_path, read_manifest
from affect_pipeline.journals.sandbox import decode_apart
from affect_pipeline.journals.store import RawStore
from affect_pipeline.nights import Nights
from affect_pipeline.placement import threads_of
from affect_pipeline.privacy.encryption import VoiceKeys, seal_samples
from affect_pipeline.settings import Settings
from affect_pipeline.telemetry import measured

if TYPE_CHECKING:
    import pyarrow as pa

    from affect_pipeline.acoustics.measure import Measurement

log = logging.getLogger(__name__)

JOURNALS_PER_BATCH = 32


@dataclass(frozen=True)
class MeasureResult:
    """Counts of one shard.

    Parameters
    ----------
    n_measured : int
        Recordings that were measured.
    n_problems : int
        Recordings that could not be.
    """

    n_measured: int
    n_problems: int

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Measured:
    """One recording after measuring: a measurement, or a problem."""

    row: ManifestRow
    measurement: Measurement | None
    problem: str | None = None
    problem_detail: str | None = None


def measure_path(settings: Settings, nights: Nights, shard: int) -> Path:
    """Return where the measurements of a shard are."""
    return settings.work_dir / nights.name / "measure" / f"shard-{shard:03d}.parquet"


def prepared_path(settings: Settings, nights: Nights, shard: int) -> Path:
    """Return where the prepared audio of a shard is."""
    return settings.work_dir / nights.name / "prepared" / f"shard-{shard:03d}.arrow"


@measured("measure")
def measure(settings: Settings, nights: Nights, shard: int) -> MeasureResult:
    """Measure the recordings of one shard.

    What is wrong with a recording stays with it: it gets a row with a problem and no values.
    Recordings that came with a problem are not analysed unless a person released them.

    Parameters
    ----------
    settings : Settings
        Where files are; how many threads to use.
    nights : Nights
        Range of the run.
    shard : int
        Number of the shard.

    Returns
    -------
    MeasureResult

    Raises
    ------
    DecoderUnavailable
        If no decoder process can be started.
    """
    manifest = read_manifest(manifest_path(settings, nights))
    rows = sorted((row for row in manifest if row.shard == shard), key=lambda row: row.journal_id)
    threads = threads_of(settings, len({row.shard for row in manifest}))
    limits = DecodeLimits(max_bytes=settings.max_journal_bytes, max_duration_s=settings.max_journal_s)
    one = partial(_measure_one, RawStore.of(settings), limits)
    table_rows: list[dict[str, Any]] = []
    measured = _note(table_rows, _in_order(one, rows, threads))
    keys = VoiceKeys(settings) if settings.encrypt_audio else None
    write_arrow(_batches(measured, keys), prepared_path(settings, nights, shard), prepared_schema(keys is not None))
    write_parquet(measure_table(table_rows), measure_path(settings, nights, shard))
    n_problems = sum(row["problem"] is not None for row in table_rows)
    return MeasureResult(n_measured=len(table_rows) - n_problems, n_problems=n_problems)


def measure_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows of measurements as a table with the columns of a measure file."""
    import pyarrow as pa

    text = {"journal_id", "patient_key", "problem", "problem_detail"}
    types = [
        (name, pa.string() if name in text else pa.date32() if name == "local_day" else pa.float64())
        for name in ("journal_id", "patient_key", "local_day", "problem", "problem_detail", *value_columns())
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(types))


def value_columns() -> tuple[str, ...]:
    """Return the names of all measured values: quality metrics, then biomarkers."""
    return (*quality_columns(), *biomarker_columns())


def quality_columns() -> tuple[str, ...]:
    """Return the names of the quality metrics."""
    from affect_pipeline.acoustics.quality import AudioQuality

    return tuple(AudioQuality.__dataclass_fields__)


def biomarker_columns() -> tuple[str, ...]:
    """Return the names of the biomarkers."""
    from affect_pipeline.acoustics.biomarkers import Biomarkers

    return tuple(Biomarkers.__dataclass_fields__)


def prepared_schema(encrypted: bool = False) -> pa.Schema:
    """Return the Arrow schema of prepared audio: samples, or what `encryption.seal_samples` made of them."""
    import pyarrow as pa

    if encrypted:
        return pa.schema([pa.field("journal_id", pa.string(), False), pa.field("sealed", pa.binary(), False)])
    audio = pa.list_(pa.field("item", pa.int16(), nullable=False))
    return pa.schema([pa.field("journal_id", pa.string(), False), pa.field("audio", audio, False)])


def _measure_one(store: RawStore, limits: DecodeLimits, row: ManifestRow) -> Measured:
    from affect_pipeline.acoustics.measure import measure_audio

    if not row.in_store or (row.problem is not None and not row.released):
        return Measured(row, None, row.problem, row.problem_detail)
    try:
        return Measured(row, measure_audio(decode_apart(store.read(row.journal_id), limits)))
    except DecoderUnavailable:
        raise  # nothing can be decoded: a night of refused recordings would say something else
    except JournalError as error:
        return Measured(row, None, error.reason, error.detail)
    except Exception as error:  # one recording must not cost the night
        log.exception("journal %s could not be measured", row.journal_id)
        return Measured(row, None, "measuring_failed", type(error).__name__)


def _in_order(
    one: Callable[[ManifestRow], Measured], rows: Iterable[ManifestRow], n_threads: int
) -> Iterator[Measured]:
    """Apply `one` on several threads; results come in order, and few are held at a time."""
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque[Future[Measured]] = deque()
        for row in rows:
            waiting.append(pool.submit(one, row))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _note(table_rows: list[dict[str, Any]], measured: Iterable[Measured]) -> Iterator[Measured]:
    """Keep the numbers of each recording and pass it on; its audio is not kept."""
    for item in measured:
        row: dict[str, Any] = {
            "journal_id": item.row.journal_id,
            "patient_key": item.row.patient_key,
            "local_day": item.row.local_day,
            "problem": item.problem,
            "problem_detail": item.problem_detail,
        }
        if item.measurement is None:
            row |= dict.fromkeys(value_columns(), float("nan"))
        else:
            row |= asdict(item.measurement.quality) | asdict(item.measurement.biomarkers)
        table_rows.append(row)
        yield item


def _batches(measured: Iterable[Measured], keys: VoiceKeys | None) -> Iterator[pa.RecordBatch]:
    """Return prepared audio in batches; recordings without speech are left out."""
    held: list[tuple[ManifestRow, npt.NDArray[np.int16]]] = []
    for item in measured:
        if item.measurement is None or not item.measurement.prepared.size:
            continue
        held.append((item.row, item.measurement.prepared))
        if len(held) == JOURNALS_PER_BATCH:
            yield _sealed_batch(held, keys) if keys else _batch(held)
            held = []
    if held:
        yield _sealed_batch(held, keys) if keys else _batch(held)


def _batch(held: list[tuple[ManifestRow, npt.NDArray[np.int16]]]) -> pa.RecordBatch:
    import pyarrow as pa

    schema = prepared_schema()
    audios = [samples for _, samples in held]
    offsets = np.cumsum([0, *(audio.size for audio in audios)], dtype=np.int32)
    audio = pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(np.concatenate(audios)), type=schema.field("audio").type
    )
    return pa.record_batch([pa.array([row.journal_id for row, _ in held], pa.string()), audio], schema=schema)


def _sealed_batch(held: list[tuple[ManifestRow, npt.NDArray[np.int16]]], keys: VoiceKeys) -> pa.RecordBatch:
    import pyarrow as pa

    ids = [row.journal_id for row, _ in held]
    sealed = [seal_samples(samples, row.journal_id, keys.of_patient(row.patient_key)) for row, samples in held]
    return pa.record_batch([pa.array(ids, pa.string()), pa.array(sealed, pa.binary())], schema=prepared_schema(True))
