"""What the DAG files share: which nights a run works on, and which tables it reads and writes.

Imported whenever Airflow parses a DAG file, so nothing heavy may be imported here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from affect_pipeline.errors import SettingsError
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings

HOPELESS_ERRORS = (
    "affect_pipeline.errors.SettingsError",
    "affect_pipeline.errors.ModelError",
    "affect_pipeline.errors.QualityGateError",
    "affect_pipeline.errors.MigrationError",
)
"""Errors that trying again cannot mend: a task that meets one fails at once."""

LOCAL_HOST = "localhost"
"""Host that stands for the embedded server, or for a socket, in the names of assets."""


def night_of_run(logical_date: datetime | None, run_after: datetime, night: str | None = None) -> Nights:
    """Return the night that a run of the nightly DAG works on.

    Parameters
    ----------
    logical_date : datetime, optional
        Logical date of the run; a manual run may have none.
    run_after : datetime
        Earliest time at which the run could start; every run has one.
    night : str, optional
        The run's parameter ``night``, an ISO date.

    Returns
    -------
    Nights
        The parameter if it was given, else the logical date, else the last night that was over at
        `run_after` (UTC).

    Raises
    ------
    SettingsError
        If the parameter is not a date.
    """
    if night:
        return Nights.one(parse_night(night, "night"))
    if logical_date is not None:
        return Nights.one(logical_date.astimezone(UTC).date())
    return Nights.one(run_after.astimezone(UTC).date() - timedelta(days=1))


def nights_of_backfill(first_night: str, last_night: str) -> Nights:
    """Return the nights that a run of the backfill DAG works on.

    Raises
    ------
    SettingsError
        If a parameter is not a date, or the range ends before it begins.
    """
    first, last = parse_night(first_night, "first_night"), parse_night(last_night, "last_night")
    if last < first:
        raise SettingsError(f"last_night is {last}, before first_night {first}")
    return Nights(first, last)


def parse_night(text: str, parameter: str) -> date:
    """Read a date such as 2026-01-05.

    Raises
    ------
    SettingsError
        If it is not one; names the parameter.
    """
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise SettingsError(f"parameter {parameter} is {text!r}; write a date like 2026-01-05") from None


def landing_uri(settings: Settings) -> str:
    """Return the URI of the landing zone, as lineage names it.

    Examples
    --------
    >>> landing_uri(Settings(landing_url="/srv/voice journals"))
    'file:///srv/voice%20journals'
    >>> landing_uri(Settings(landing_url="s3://clinic/journals"))
    's3://clinic/journals'
    """
    return settings.landing if "://" in settings.landing else Path(settings.landing).resolve().as_uri()


def folder_uri(settings: Settings, name: str) -> str:
    """Return the URI of a folder of the installation's state, as lineage names it.

    Examples
    --------
    >>> folder_uri(Settings(home=Path("/srv/affect")), "raw")
    'file:///srv/affect/raw'
    """
    return (settings.home / name).as_uri()


def table_uri(settings: Settings, table: str) -> str:
    """Return the URI of a warehouse table, as lineage names it: ``postgres://host:port/database/schema/table``.

    The name never holds a user or a password.

    Examples
    --------
    >>> table_uri(Settings(warehouse_url="postgresql://ann:secret@db.example.org/clinic"), "scores")
    'postgres://db.example.org:5432/clinic/affect/scores'
    """
    parts = urlsplit(settings.warehouse_url)
    host = parts.hostname or LOCAL_HOST
    database = parts.path.strip("/") or "affect"
    return f"postgres://{host}:{parts.port or 5432}/{database}/affect/{table}"
