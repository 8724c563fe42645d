"""The last stage: the summary of a run, whether the recordings as a whole have shifted, and news for people."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from affect_pipeline import __version__
from affect_pipeline.nights import Nights
from affect_pipeline.notify import Message, Nobody, Notifier
from affect_pipeline.settings import Settings
from affect_pipeline.telemetry import measured

if TYPE_CHECKING:
    import sqlalchemy as sa

    from affect_pipeline.population.check import PopulationCheck

Clock = Callable[[], datetime]

SHAPING_SETTINGS = (
    "model_name", "model_alias", "max_journal_bytes", "max_journal_s", "max_failed_share", "min_journals_for_gate",
    "baseline_days", "baseline_min_days", "false_alarms_per_patient_90d",
)  # fmt: skip
"""Settings that shape what a run finds; their digest stands in the run's row."""


@dataclass(frozen=True)
class RunIdentity:
    """Which run publishes.

    Parameters
    ----------
    run_id : str
        Run id of Airflow, or of the command line.
    dag_id : str
        DAG, or command.
    started_at : datetime, optional
        When the run began.
    """

    run_id: str
    dag_id: str
    started_at: datetime | None = None


@dataclass(frozen=True)
class PublishResult:
    """What was published.

    Parameters
    ----------
    counts : dict of str to int
        Counts over the nights of the run.
    n_told : int
        Number of new alerts that people were told of.
    model_digest : str, optional
        Model version that scored; none if nothing was scored.
    n_shifts_told : int
        Number of shifts of the recordings as a whole that operators were told of.
    waiting : dict of str to int
        What waits after the run: recordings that were not judged, alerts that are open.
    fhir : str
        What became of the FHIR server; empty if none is set.
    """

    counts: dict[str, int]
    n_told: int
    model_digest: str | None
    n_shifts_told: int = 0
    waiting: dict[str, int] = field(default_factory=dict, compare=False)
    fhir: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        return asdict(self)


@measured("publish")
def publish(
    settings: Settings,
    nights: Nights,
    identity: RunIdentity | None = None,
    notifier: Notifier | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> PublishResult:
    """Write the summary of a run, log its metrics, tell people of the alerts it raised, and a FHIR server of all.

    The last of its nights is compared with the weeks before. Done again, it leaves the same rows and
    tells nobody twice. A message that does not get through fails the stage after everything else is
    written, so that it is tried again. A FHIR server that fails does not: the next night catches up.

    Parameters
    ----------
    settings : Settings
        The installation.
    nights : Nights
        The nights of the run.
    identity : RunIdentity, optional
        Which run this is. Defaults to one made from the nights, as by the command line.
    notifier : Notifier, optional
        Who is told of new alerts. Defaults to nobody.
    clock : callable
        Returns the time, with time zone.

    Raises
    ------
    WarehouseUnavailable, RegistryUnavailable, UnavailableError
        If the warehouse, MLflow or a notification service cannot be reached.
    """
    from affect_pipeline.interop.push import push_nightly
    from affect_pipeline.population.check import check_population, report_path
    from affect_pipeline.population.report import write_report
    from affect_pipeline.stages.run_metrics import log_run_metrics
    from affect_pipeline.warehouse.engine import connect

    engine = connect(settings)
    run = identity or RunIdentity(f"direct__{nights.name}", "direct")
    with engine.begin() as connection:
        counts = _summarise(connection, nights)
        model_digest = _model_digest(connection, nights)
        population = check_population(connection, nights, model_digest)
        counts |= population.counts
        row = _run_row(settings, nights, run, clock()) | {"counts": counts, "model_digest": model_digest}
        _record_run(connection, row)
        waiting = dict(connection.execute(_statement("publish/count_waiting")).mappings().one())
    write_report(population, report_path(settings, nights))
    log_run_metrics(settings, nights, run.dag_id, counts, model_digest)
    people = notifier or Nobody()
    n_shifts = _tell_operators(engine, nights, people, clock)
    n_told = _tell(engine, nights, model_digest, people, clock, population)
    return PublishResult(counts, n_told, model_digest, n_shifts, waiting, push_nightly(settings, nights))


def settings_digest(settings: Settings) -> str:
    """Return the SHA-256 (hex) of the settings that shape what a run finds."""
    values = settings.model_dump(mode="json", include=set(SHAPING_SETTINGS))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _run_row(settings: Settings, nights: Nights, run: RunIdentity, now: datetime) -> dict[str, Any]:
    from affect_pipeline.quality.contract import suite_version

    origin = {
        "outcome": "succeeded",
        "suite_version": suite_version(),
        "settings_digest": settings_digest(settings),
        "code_version": __version__,
        "finished_at": now,
    }
    return asdict(run) | _range(nights) | origin


def _range(nights: Nights) -> dict[str, date]:
    return {"first_night": nights.first, "last_night": nights.last}


def _statement(name: str) -> sa.TextClause:
    import sqlalchemy as sa

    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(name))


def _summarise(connection: sa.Connection, nights: Nights) -> dict[str, int]:
    """Derive the rows of the nights anew, and return their sums."""
    from affect_pipeline.warehouse.derive import derive_nights

    derive_nights(connection, nights)
    row = connection.execute(_statement("publish/summarise_range"), _range(nights)).mappings().one()
    return {name: int(value) for name, value in row.items()}


def _model_digest(connection: sa.Connection, nights: Nights) -> str | None:
    digest = connection.execute(_statement("publish/find_model_of_nights"), _range(nights)).scalar()
    return None if digest is None else str(digest)


def _record_run(connection: sa.Connection, row: dict[str, Any]) -> None:
    import pyarrow as pa

    from affect_pipeline.warehouse.load import upsert

    upsert(connection, "runs", pa.Table.from_pylist([row]))


def _tell_operators(engine: sa.Engine, nights: Nights, notifier: Notifier, clock: Clock) -> int:
    """Send one message about what has shifted in the recordings as a whole, once for each shift."""
    from affect_pipeline.population.check import note_told, shift_message, untold_shifts

    if isinstance(notifier, Nobody):
        return 0
    with engine.begin() as connection:
        shifts = untold_shifts(connection, nights.last)
        if shifts:
            notifier.send(shift_message(nights, shifts))
            note_told(connection, nights.last, shifts, clock())
    return len(shifts)


def _tell(
    engine: sa.Engine,
    nights: Nights,
    model_digest: str | None,
    notifier: Notifier,
    clock: Clock,
    population: PopulationCheck,
) -> int:
    """Send one message about all new alerts, then note that it went out.

    A process killed between the two sends it once more when it is run again: better twice than never.
    """
    if isinstance(notifier, Nobody) or model_digest is None:
        return 0
    arguments = _range(nights) | {"model_digest": model_digest}
    with engine.begin() as connection:
        alerts = connection.execute(_statement("publish/list_untold_alerts"), arguments).mappings().all()
        if not alerts:
            return 0
        notifier.send(alert_message(nights, [dict(alert) for alert in alerts], shifted=bool(population.shifts)))
        marks = [{"alert_id": alert["alert_id"], "seq": alert["seq"], "sent_at": clock()} for alert in alerts]
        connection.execute(_statement("publish/record_notification"), marks)
    return len(alerts)


def alert_message(nights: Nights, alerts: list[dict[str, Any]], *, shifted: bool = False) -> Message:
    """Return the message about new alerts: pseudonyms, severity and dates, not how a patient is.

    Parameters
    ----------
    nights : Nights
        The nights of the run.
    alerts : list of dict
        With ``patient_key``, ``severity``, ``onset_day``.
    shifted : bool
        Whether the recordings as a whole have shifted, which may have raised them.
    """
    from affect_pipeline.population.check import CAUTION

    word = "alert" if len(alerts) == 1 else "alerts"
    lines = [
        f"- patient {alert['patient_key'][:12]}: {alert['severity']}"
        + (f", since about {alert['onset_day']}" if alert["onset_day"] else "")
        for alert in alerts
    ]
    caution = [CAUTION] if shifted else []
    body = "\n".join([*lines, "", *caution, "Open the dashboard for the reasons, and to acknowledge."])
    return Message(f"Voice monitoring: {len(alerts)} new {word} ({nights.name})", body)
