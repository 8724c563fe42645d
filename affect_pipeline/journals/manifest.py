"""The manifest of a run: one row a delivery, with everything later stages need to know of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affect_pipeline.files import read_metadata, read_parquet, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

    from affect_pipeline.nights import Nights
    from affect_pipeline.settings import Settings


@dataclass(frozen=True)
class ManifestRow:
    """One delivery.

    Parameters
    ----------
    delivery_key, patient_key : str
        Pseudonyms.
    night : date
        Night of arrival.
    journal_id : str
        SHA-256 of the audio, or `identity.refused_id` where it was not taken in.
    local_day : date
        Day of the recording where the patient was; the night where that is not known.
    recorded_at : datetime or None
        Moment of the recording, UTC.
    utc_offset_min, time_zone, device, prompt, language, clinic, sex, age_band, consent
        From the sidecar.
    n_bytes : int or None
        Size of the file.
    audio_format : str or None
        What the content is.
    problem, problem_detail : str or None
        Why it cannot be used, for machines and for people.
    in_store : bool
        Whether the audio was taken in.
    released : bool
        Whether a person let it out of quarantine.
    shard : int or None
        Shard that measures it; None for deliveries of a recording that counts elsewhere.
    """

    delivery_key: str
    night: date
    journal_id: str
    patient_key: str
    local_day: date
    recorded_at: datetime | None = None
    utc_offset_min: int | None = None
    time_zone: str | None = None
    device: str | None = None
    prompt: str | None = None
    language: str | None = None
    clinic: str | None = None
    sex: str | None = None
    age_band: str | None = None
    consent: bool | None = None
    n_bytes: int | None = None
    audio_format: str | None = None
    problem: str | None = None
    problem_detail: str | None = None
    in_store: bool = False
    released: bool = False
    shard: int | None = None

    @property
    def order(self) -> tuple[date, str]:
        """Of several deliveries of one recording, the one with the least of this counts."""
        return self.night, self.delivery_key


def manifest_path(settings: Settings, nights: Nights) -> Path:
    """Return where the manifest of a run is."""
    return settings.work_dir / nights.name / "manifest.parquet"


def assign_shards(rows: Sequence[ManifestRow], counting: Iterable[str], per_shard: int, max_shards: int) -> int:
    """Return how many shards a run is cut into: as many as its journals need, within limits."""
    n_journals = len({row.journal_id for row in rows} & set(counting))
    return min(max(math.ceil(n_journals / per_shard), 1), max_shards)


def shard_of(patient_key: str, n_shards: int) -> int:
    """Return the shard of a patient: all journals of one patient are in one shard."""
    return int(patient_key[:8], 16) % n_shards


def with_shards(rows: Iterable[ManifestRow], counting: set[str], n_shards: int) -> list[ManifestRow]:
    """Give a shard to the deliveries that count.

    Parameters
    ----------
    rows : iterable of ManifestRow
        All deliveries of the run.
    counting : set of str
        Keys of the deliveries that count, one for each recording.
    n_shards : int
        Number of shards.
    """
    return [
        replace(row, shard=shard_of(row.patient_key, n_shards) if row.delivery_key in counting else None)
        for row in rows
    ]


def write_manifest(rows: Iterable[ManifestRow], path: Path, n_shards: int) -> None:
    """Write the manifest, ordered by journal and delivery."""
    import pyarrow as pa

    ordered = sorted(rows, key=lambda row: (row.journal_id, row.delivery_key))
    table = pa.Table.from_pylist([asdict(row) for row in ordered], schema=manifest_schema())
    write_parquet(table, path, {"n_shards": str(n_shards)})


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a manifest back."""
    return [ManifestRow(**row) for row in read_parquet(path).to_pylist()]


def read_n_shards(path: Path) -> int:
    """Return the number of shards of a run, from its manifest."""
    return int(read_metadata(path)["n_shards"])


def manifest_schema() -> pa.Schema:
    """Return the Arrow schema of the manifest."""
    import pyarrow as pa

    text, required = pa.string(), {"delivery_key", "night", "journal_id", "patient_key", "local_day", "in_store"}
    types: dict[str, Any] = {
        "night": pa.date32(),
        "local_day": pa.date32(),
        "recorded_at": pa.timestamp("us", tz="UTC"),
        "utc_offset_min": pa.int32(),
        "consent": pa.bool_(),
        "n_bytes": pa.int64(),
        "in_store": pa.bool_(),
        "released": pa.bool_(),
        "shard": pa.int32(),
    }
    names = list(ManifestRow.__dataclass_fields__)
    return pa.schema([pa.field(name, types.get(name, text), nullable=name not in required) for name in names])
