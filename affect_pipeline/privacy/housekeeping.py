"""What is done every day so that nothing is kept longer than the settings say, and withdrawn consent is honoured."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from affect_pipeline.journals.store import RawStore
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.audit import record
from affect_pipeline.privacy.erasure import charts_through, derive_again, erase, finish_interrupted
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect

ACTOR = "privacy_housekeeping"


@dataclass(frozen=True)
class HousekeepingResult:
    """What one day's housekeeping removed.

    Parameters
    ----------
    n_recordings : int
        Recordings that were older than ``AFFECT_KEEP_AUDIO_DAYS``.
    n_runs : int
        Folders of runs that were older than ``AFFECT_KEEP_WORK_DAYS``.
    n_patients : int
        Patients erased: not heard of for ``AFFECT_KEEP_PATIENT_DAYS``, or withdrawn.
    """

    n_recordings: int
    n_runs: int
    n_patients: int

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON values."""
        return asdict(self)


def housekeeping(settings: Settings, today: date) -> HousekeepingResult:
    """Apply retention and withdrawn consent; done again on the same day, it finds nothing left to do.

    Parameters
    ----------
    settings : Settings
        How long what is kept.
    today : date
        The day it is done for.

    Raises
    ------
    WarehouseUnavailable
        If the warehouse cannot be reached.
    """
    engine = connect(settings)
    n_recordings = _remove_old_audio(settings, engine, today)
    n_runs = _remove_old_runs(settings, today)
    through = charts_through(engine)
    n_finished = finish_interrupted(settings, today)
    due = due_for_erasure(settings, engine, today)
    for patient_key, reason in due.items():
        erase(settings, patient_key, today=today, actor=ACTOR, reason=reason)
    if due or n_finished:
        derive_again(settings, through)
    if n_recordings:
        with engine.begin() as connection:
            record(connection, "audio_retention", actor=ACTOR, n_recordings=n_recordings, days=settings.keep_audio_days)
    return HousekeepingResult(n_recordings, n_runs, len(due))


def due_for_erasure(settings: Settings, engine: sa.Engine, today: date) -> dict[str, str]:
    """Return who is to be erased by now, and why: ``withdrawn`` or ``retention``."""
    due: dict[str, str] = {}
    with engine.connect() as connection:
        for row in connection.execute(_query("list_patients")):
            withdrawn = row.consent_withdrawn_night is not None and row.consent_withdrawn_night <= today
            silent_days = (today - row.last_night).days if row.last_night else 0
            if withdrawn and settings.erase_after_withdrawal:
                due[row.patient_key] = "withdrawn"
            elif settings.keep_patient_days and silent_days > settings.keep_patient_days:
                due[row.patient_key] = "retention"
    return due


def _remove_old_audio(settings: Settings, engine: sa.Engine, today: date) -> int:
    if not settings.keep_audio_days:
        return 0
    night = today - timedelta(days=settings.keep_audio_days)
    with engine.connect() as connection:
        journal_ids = connection.execute(_query("list_journals_before"), {"night": night}).scalars().all()
    store = RawStore(settings.raw_dir)
    return sum(store.remove(journal_id) for journal_id in journal_ids)


def _remove_old_runs(settings: Settings, today: date) -> int:
    if not settings.keep_work_days:
        return 0
    removed = 0
    for folder in sorted(settings.work_dir.glob("*")):
        try:
            nights = Nights.parse(folder.name)
        except ValueError:
            continue
        if nights.last < today - timedelta(days=settings.keep_work_days):
            shutil.rmtree(folder)
            removed += 1
    return removed


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"privacy/{name}"))
