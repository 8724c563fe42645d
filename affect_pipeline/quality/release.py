"""Letting a recording out of quarantine: a person's decision, kept with name and reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from affect_pipeline.errors import QuarantineError
from affect_pipeline.journals.store import RawStore

SHORTEST_PREFIX = 8


@dataclass(frozen=True)
class Quarantined:
    """A recording in quarantine.

    Parameters
    ----------
    journal_id : str
        The recording.
    night : date
        Night it arrived; the run of that night has to be repeated once it is released.
    patient_key : str
        The patient's pseudonym.
    failed : tuple of str
        What it failed.
    released_by : str or None
        Who let it out, if somebody did and the night was not run again yet.
    """

    journal_id: str
    night: date
    patient_key: str
    failed: tuple[str, ...]
    released_by: str | None = None


def list_quarantine(
    engine: sa.Engine, first: date | None = None, last: date | None = None, limit: int = 100
) -> list[Quarantined]:
    """List recordings in quarantine, newest night first.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The warehouse.
    first, last : date, optional
        Range of nights; all if left out.
    limit : int
        Most recordings returned.
    """
    bounds = {"first_night": first, "last_night": last, "limit_rows": limit}
    with engine.connect() as connection:
        rows = connection.execute(_query("list_quarantine"), bounds).mappings().all()
    return [
        Quarantined(row["journal_id"], row["night"], row["patient_key"], tuple(row["failed"]), row["released_by"])
        for row in rows
    ]


def find_journal(engine: sa.Engine, prefix: str) -> dict[str, Any]:
    """Return what the warehouse says of the one recording whose identifier begins like this.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The warehouse.
    prefix : str
        At least 8 characters.

    Raises
    ------
    QuarantineError
        If there is none, or more than one.
    """
    if len(prefix) < SHORTEST_PREFIX:
        raise QuarantineError(f"{prefix!r} is too short: give at least {SHORTEST_PREFIX} characters of the journal_id")
    with engine.connect() as connection:
        rows = connection.execute(_query("find_journals"), {"prefix": prefix.lower()}).mappings().all()
        if len(rows) != 1:
            found = "more than one journal begins" if rows else "no journal begins"
            raise QuarantineError(f"{found} with {prefix!r}; `affect quarantine list` shows what is there")
        checks = connection.execute(_query("list_checks"), {"journal_id": rows[0]["journal_id"]}).mappings().all()
    return dict(rows[0]) | {"checks": [dict(check) for check in checks]}


def release(engine: sa.Engine, store: RawStore, prefix: str, actor: str, reason: str) -> Quarantined:
    """Let a recording out of quarantine; the next run of its night accepts and scores it.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The warehouse.
    store : RawStore
        Where its audio must be.
    prefix : str
        Beginning of its journal_id.
    actor : str
        Who decides.
    reason : str
        Why; not empty.

    Raises
    ------
    QuarantineError
        If it is not in quarantine, its audio was never taken in, or no reason is given.
    """
    journal = find_journal(engine, prefix)
    journal_id: str = journal["journal_id"]
    if not reason.strip():
        raise QuarantineError("a release needs a reason")
    if journal["status"] != "quarantined":
        raise QuarantineError(f"journal {journal_id[:12]} is {journal['status']}, not in quarantine")
    if journal_id not in store:
        raise QuarantineError(
            f"journal {journal_id[:12]} has no audio to release ({journal['problem'] or 'it is not in the store'})"
        )
    with engine.begin() as connection:
        connection.execute(_query("add_release"), {"journal_id": journal_id, "actor": actor, "reason": reason.strip()})
    return Quarantined(journal_id, journal["night"], journal["patient_key"], tuple(journal["failed"]), actor)


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"intake/{name}"))
