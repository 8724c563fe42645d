"""Encrypting what was collected before encryption was switched on."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass

import sqlalchemy as sa

from affect_pipeline.errors import SettingsError
from affect_pipeline.journals.store import RawStore
from affect_pipeline.privacy.encryption import is_encrypted
from affect_pipeline.settings import Settings


@dataclass(frozen=True)
class SealingResult:
    """Counts of recordings, and of folders of runs whose prepared audio was not encrypted."""

    n_sealed: int
    n_sealed_before: int
    n_runs: int


def seal_collected(settings: Settings) -> SealingResult:
    """Encrypt collected recordings one by one, and remove runs' files that hold prepared audio as it is.

    Interrupted, it goes on where it was stopped.

    Raises
    ------
    SettingsError
        If ``AFFECT_ENCRYPT_AUDIO`` is not set: what comes next would not be encrypted.
    """
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.queries import sql

    if not settings.encrypt_audio:
        raise SettingsError("set AFFECT_ENCRYPT_AUDIO=true first, for every process of this installation")
    store, n_sealed, n_before = RawStore.of(settings), 0, 0
    with connect(settings).connect() as connection:
        owned = connection.execute(sa.text(sql("privacy/list_owned_journals"))).all()
    for journal_id, patient_key in owned:
        if journal_id not in store:
            continue
        with store.path(journal_id).open("rb") as file:
            sealed = is_encrypted(file.read(64))
        if not sealed:
            store.put(io.BytesIO(store.read(journal_id)), settings.max_journal_bytes, patient_key)
        n_sealed, n_before = n_sealed + (not sealed), n_before + sealed
    return SealingResult(n_sealed, n_before, _remove_plain_runs(settings))


def _remove_plain_runs(settings: Settings) -> int:
    from affect_pipeline.files import mapped_arrow

    removed = 0
    for run in sorted(settings.work_dir.glob("*")):
        for path in run.glob("prepared/*.arrow"):
            with mapped_arrow(path) as reader:
                plain = "audio" in reader.schema.names
            if plain:
                shutil.rmtree(run)
                removed += 1
                break
    return removed
