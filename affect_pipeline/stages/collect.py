"""First stage: take what arrived in the landing zone into the store, and say what it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.journals.intake import Intake, TakenIn
from affect_pipeline.journals.landing import Delivery, LandingZone
from affect_pipeline.journals.manifest import (
    ManifestRow,
    assign_shards,
    manifest_path,
    with_shards,
    write_manifest,
)
from affect_pipeline.journals.questionnaires import store_questionnaires
from affect_pipeline.journals.store import RawStore
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.erasure import erased_digest, erased_through
from affect_pipeline.privacy.rotation import check_not_interrupted
from affect_pipeline.settings import Settings
from affect_pipeline.telemetry import measured

log = logging.getLogger(__name__)

COPIES_AT_ONCE = 8
"""Copying waits for the landing zone and the disk, not for a processor."""

PROFILE_COLUMNS = ("patient_key", "clinic", "time_zone", "language", "sex", "age_band")
DELIVERY_COLUMNS = ("delivery_key", "night", "journal_id", "patient_key", "problem")
JOURNAL_COLUMNS = (
    *("journal_id", "patient_key", "night", "delivery_key", "recorded_at", "local_day", "time_zone", "device"),
    *("prompt", "language", "clinic", "n_bytes", "audio_format", "problem"),
)


@dataclass(frozen=True)
class CollectResult:
    """Counts of what arrived.

    Parameters
    ----------
    n_found : int
        Deliveries.
    n_journals : int
        Recordings that count in this run.
    n_duplicates : int
        Deliveries of a recording that counts elsewhere.
    n_refused : int
        Recordings that count but have a problem.
    shards : tuple of int
        Shards that have something to measure.
    n_questionnaires, n_questionnaires_refused : int
        Questionnaires that arrived, and those of them that have a problem.
    """

    n_found: int
    n_journals: int
    n_duplicates: int
    n_refused: int
    shards: tuple[int, ...]
    n_questionnaires: int = 0
    n_questionnaires_refused: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self) | {"shards": list(self.shards)}


@measured("collect")
def collect(settings: Settings, nights: Nights) -> CollectResult:
    """Take in the deliveries of a range of nights and write the manifest of the run.

    Parameters
    ----------
    settings : Settings
        Where the landing zone, the store and the warehouse are.
    nights : Nights
        Nights of arrival.

    Returns
    -------
    CollectResult

    Raises
    ------
    LandingZoneUnavailable
        If the landing zone cannot be reached.
    WarehouseUnavailable
        If the warehouse cannot be reached. Nothing is copied then.
    """
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    with engine.connect() as connection:
        erased = erased_through(connection)
    taken, forms = _take_in(settings, nights, erased)
    listed = [one.row for one in taken]
    profiles = listed + [form.row for form in forms if form.questionnaire]
    with engine.begin() as connection:
        rows = _with_released(connection, nights, listed)
        counting = _counting(connection, rows)
        n_shards = assign_shards(rows, counting.values(), settings.journals_per_shard, settings.max_shards)
        rows = with_shards(rows, set(counting), n_shards)
        _load(connection, rows, profiles)
        _load_questionnaires(connection, [*taken, *forms])
    write_manifest(rows, manifest_path(settings, nights), n_shards)
    result = _count(rows, [*taken, *forms])
    log.info("nights %s: %s", nights.name, result)
    return result


def _take_in(settings: Settings, nights: Nights, erased: dict[str, date]) -> tuple[list[TakenIn], list[TakenIn]]:
    """Return the recordings, and the questionnaires that came alone."""
    check_not_interrupted(settings)
    zone, store = LandingZone(settings.landing), RawStore.of(settings)
    store.sweep(time.time())
    pseudonyms = Pseudonyms(settings.pseudonym_key())
    intake = Intake(zone, store, pseudonyms, settings.max_journal_bytes)

    def is_erased(delivery: Delivery) -> bool:
        digests = map(erased_digest, pseudonyms.patient_keys(delivery.source_id))
        return any(digest in erased and delivery.night <= erased[digest] for digest in digests)

    def kept(deliveries: Iterable[Delivery]) -> list[Delivery]:
        return [delivery for delivery in deliveries if not (erased and is_erased(delivery))]

    arrivals = [zone.arrivals(night) for night in nights]
    recordings = kept(delivery for found in arrivals for delivery in found.recordings)
    loose = kept(delivery for found in arrivals for delivery in found.loose)
    with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
        return list(pool.map(intake.take_in, recordings)), list(pool.map(intake.take_in_form, loose))


def _with_released(connection: sa.Connection, nights: Nights, rows: list[ManifestRow]) -> list[ManifestRow]:
    """Mark what a person let out of quarantine, and bring back what has left the landing zone since."""
    from affect_pipeline.warehouse.queries import sql

    bounds = {"first_night": nights.first, "last_night": nights.last}
    released = [dict(row) for row in connection.execute(sa.text(sql("list_released_journals")), bounds).mappings()]
    released_ids = {row["journal_id"] for row in released}
    found = {row.delivery_key for row in rows}
    absent = [ManifestRow(**row, in_store=True) for row in released if row["delivery_key"] not in found]
    return [replace(row, released=row.journal_id in released_ids) for row in [*rows, *absent]]


def _counting(connection: sa.Connection, rows: Sequence[ManifestRow]) -> dict[str, str]:
    """Return the deliveries that count, and their recordings: delivery_key -> journal_id.

    Of all deliveries of one recording, here and in the warehouse, the least (night, delivery_key)
    counts, so that the order in which nights are run makes no difference.
    """
    from affect_pipeline.warehouse.queries import sql

    ours = {row.delivery_key for row in rows}
    least: dict[str, ManifestRow] = {}
    for row in rows:
        known = least.get(row.journal_id)
        if known is None or row.order < known.order:
            least[row.journal_id] = row
    query = connection.execute(sa.text(sql("list_counting_deliveries")), {"journal_ids": sorted(least)})
    for journal_id, night, delivery_key in query:
        if delivery_key not in ours and (night, delivery_key) < least[journal_id].order:
            del least[journal_id]
    return {row.delivery_key: journal_id for journal_id, row in least.items()}


def _load(connection: sa.Connection, rows: Iterable[ManifestRow], profiles: Sequence[ManifestRow]) -> None:
    """Write the rows; patients are described only by sidecars that were read just now."""
    import pyarrow as pa

    from affect_pipeline.warehouse.load import upsert
    from affect_pipeline.warehouse.queries import sql

    rows = sorted(rows, key=lambda row: row.delivery_key)
    journals = [row for row in rows if row.shard is not None]
    if profiles:
        upsert(connection, "patients", pa.Table.from_pylist([_patient(row) for row in profiles]))
    if not rows:
        return
    upsert(connection, "deliveries", pa.Table.from_pylist([_some(row, DELIVERY_COLUMNS) for row in rows]))
    keys = {"delivery_keys": [row.delivery_key for row in rows]}
    connection.execute(sa.text(sql("delete_superseded_journals")), keys)
    if journals:
        upsert(connection, "journals", pa.Table.from_pylist([_some(row, JOURNAL_COLUMNS) for row in journals]))


def _load_questionnaires(connection: sa.Connection, taken: Sequence[TakenIn]) -> None:
    rows = [one.questionnaire for one in taken if one.questionnaire]
    store_questionnaires(connection, rows, [one.form_key for one in taken if one.form_key])


def _patient(row: ManifestRow) -> dict[str, Any]:
    return _some(row, PROFILE_COLUMNS) | {
        "profile_at": row.recorded_at,
        "profile_delivery": row.delivery_key,
        "first_night": row.night,
        "consent_withdrawn_night": row.night if row.consent is False else None,
    }


def _some(row: ManifestRow, columns: Iterable[str]) -> dict[str, Any]:
    return {column: getattr(row, column) for column in columns}


def _count(rows: Sequence[ManifestRow], taken: Sequence[TakenIn]) -> CollectResult:
    counting = [row for row in rows if row.shard is not None]
    forms = {one.form_key: one.questionnaire for one in taken if one.questionnaire}
    return CollectResult(
        n_found=len(rows),
        n_journals=len(counting),
        n_duplicates=len(rows) - len(counting),
        n_refused=sum(row.problem is not None for row in counting),
        shards=tuple(sorted({row.shard for row in counting if row.shard is not None})),
        n_questionnaires=len(forms),
        n_questionnaires_refused=sum(form.problem is not None for form in forms.values()),
    )
