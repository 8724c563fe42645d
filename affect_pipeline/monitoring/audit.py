"""Making an alert again from what it came from, and saying what differs.

The journals of the patient (named by the SHA-256 of their audio), the model's digest, the cohort profile
the baseline was pinned to and the settings go in; the engine runs the nights again. Recordings that
are still stored are hashed again, so a changed file is noticed, too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from affect_pipeline.errors import AffectError, JournalError
from affect_pipeline.journals.store import RawStore
from affect_pipeline.monitoring import store
from affect_pipeline.monitoring.engine import Engine
from affect_pipeline.monitoring.journals import Journals
from affect_pipeline.monitoring.rules import Rules
from affect_pipeline.monitoring.sources import MemorySource
from affect_pipeline.monitoring.words import to_day
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.queries import sql

COMPARED = (
    "patient_key", "model_digest", "kind", "direction", "severity", "state", "opened_night", "opened_day",
    "onset_day", "onset_low", "onset_high", "last_night", "resolved_night", "score", "channels", "explanation",
    "evidence",
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was: what, what is stored, and what came out now."""

    what: str
    stored: str
    now: str


@dataclass(frozen=True)
class Replay:
    """What making an alert again came to.

    Parameters
    ----------
    alert_id : str
        The alert.
    n_journals : int
        Journals it was made from again.
    n_recordings_checked : int
        Stored recordings whose hash was taken again.
    differences : tuple of Difference
        Empty if the alert is identical.
    """

    alert_id: str
    n_journals: int
    n_recordings_checked: int
    differences: tuple[Difference, ...]

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def find_alert(connection: sa.Connection, prefix: str) -> dict[str, Any]:
    """Return the one alert whose identity begins with `prefix`.

    Raises
    ------
    AffectError
        If there is none, or more than one.
    """
    rows = [dict(row) for row in connection.execute(sa.text(sql("monitor/find_alerts")), {"prefix": prefix}).mappings()]
    if len(rows) != 1 or not prefix:
        raise AffectError(f"{len(rows)} alerts begin with {prefix!r}; `affect alerts list` shows them")
    return rows[0]


def list_events(connection: sa.Connection, alert_id: str) -> list[dict[str, Any]]:
    """Return what the machine did with an alert, in order."""
    rows = connection.execute(sa.text(sql("monitor/list_events")), {"alert_id": alert_id}).mappings()
    return [dict(row) for row in rows]


def replay(connection: sa.Connection, settings: Settings, prefix: str) -> Replay:
    """Make an alert again and compare it with what is stored.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Warehouse.
    settings : Settings
        Settings the alert is to be made with, and where recordings are.
    prefix : str
        Identity of the alert, or how it begins.
    """
    stored = find_alert(connection, prefix)
    events = list_events(connection, stored["alert_id"])
    digest, patient = stored["model_digest"], stored["patient_key"]
    last = to_day(max(event["night"] for event in events))
    source = store.WarehouseSource(connection, digest, store.KeyRange(patient, patient))
    journals = source.everything(last)
    engine = _engine(connection, settings, digest, patient)
    now, now_events = _run(engine, journals, last, stored["alert_id"])
    changed, checked = _recordings(RawStore.of(settings), journals)
    return Replay(
        stored["alert_id"], len(journals), checked, tuple(changed + _compare(stored, now, events, now_events))
    )


def _engine(connection: sa.Connection, settings: Settings, digest: str, patient: str) -> Engine:
    engine = Engine.new(Rules.from_settings(settings), digest, folder=settings.home / "calibration")
    engine.charts.profiles = store.read_profiles(connection, digest)
    engine.charts.fixed = True
    withdrawn = store.read_withdrawn(connection)
    engine.withdrawn = {key: night for key, night in withdrawn.items() if key == patient.encode()}
    return engine


def _run(engine: Engine, journals: Journals, last: int, alert_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the patient's nights again; return the alert and its events, empty if it is not raised now."""
    if len(journals) == 0:
        return {}, []
    source = MemorySource(journals)
    alert: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    for night in range(source.nights()[0], last + 1):
        output = engine.run_night(night, source)
        alert = output.alerts.get(alert_id, alert)
        events += [event for event in output.events if event["alert_id"] == alert_id]
    return alert, events


def _compare(
    stored: dict[str, Any], now: dict[str, Any], events: list[dict[str, Any]], now_events: list[dict[str, Any]]
) -> list[Difference]:
    if not now:
        return [Difference("alert", "raised", "not raised")]
    found = [
        Difference(name, str(stored[name]), str(now[name]))
        for name in COMPARED
        if _plain(stored[name]) != _plain(now[name])
    ]
    for name in ("seq", "night", "kind", "severity", "score", "explanation"):
        before, after = [event[name] for event in events], [event[name] for event in now_events]
        if before != after:
            found.append(Difference(f"events: {name}", str(before), str(after)))
    return found


def _plain(value: Any) -> Any:
    """Return a value as it comes back from the warehouse."""
    import json

    return json.loads(json.dumps(value, sort_keys=True)) if isinstance(value, dict) else value


def _recordings(recordings: RawStore, journals: Journals) -> tuple[list[Difference], int]:
    """Hash the stored recordings again; one that was erased or never stored here is passed over."""
    found, checked = [], 0
    for journal_id in np.unique(journals.journal_id[journals.accepted]):
        name = journal_id.decode()
        if name in recordings:
            checked += 1
            try:
                digest = hashlib.sha256(recordings.read(name)).hexdigest()
            except JournalError as error:
                digest = error.reason
            if digest != name:
                found.append(Difference("recording", name, digest))
    return found, checked
