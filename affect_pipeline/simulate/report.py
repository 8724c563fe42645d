"""What the pipeline found in a simulated cohort, beside what is true of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from affect_pipeline.settings import Settings
from affect_pipeline.simulate.cohort import Role
from affect_pipeline.simulate.truth import PatientTruth, Truth, read_truth

if TYPE_CHECKING:
    from rich.console import Group

SHORT_KEY_CHARS = 8
WORSENING = "worsening"
JUDGED = ("stable", "alert")
"""States of patients who have a baseline."""


class Verdict(StrEnum):
    """How what the pipeline did about a patient compares with the truth."""

    FOUND = "found"
    MISSED = "missed"
    FALSE_ALARM = "false alarm"
    QUIET = "correctly quiet"
    UNJUDGED = "not judged yet"


COLOURS = {Verdict.FOUND: "green", Verdict.QUIET: "green", Verdict.UNJUDGED: "dim"}


@dataclass(frozen=True)
class RaisedAlert:
    """An alert of the warehouse: the night that raised it, and the first day of change it names."""

    opened_night: date
    direction: str
    severity: str
    onset_day: date | None


@dataclass(frozen=True)
class Outcome:
    """What the pipeline says of one patient.

    Parameters
    ----------
    state : str
        As in the view ``patient_state``: stable, alert, too_little_data, consent_withdrawn.
    reason : str or None
        Why there is too little data.
    alerts : tuple[RaisedAlert, ...]
        All alerts, in the order they were raised.
    """

    state: str
    reason: str | None
    alerts: tuple[RaisedAlert, ...]


UNSEEN = Outcome("not seen", None, ())
"""A patient of whom no journal was collected."""


@dataclass(frozen=True)
class PatientReport:
    """One patient of a simulated cohort: truth, outcome and how they compare.

    Parameters
    ----------
    patient : str
        The first characters of the pseudonym.
    alert : RaisedAlert or None
        The alert that found the onset; else the first false one.
    days_to_alert : int or None
        Nights from the onset to the alert that found it; 0 is the night of the onset's first day.
    n_false_alarms : int
        Alerts that no onset explains.
    """

    patient: str
    role: Role
    onset: date | None
    phone_changed: date | None
    outcome: Outcome
    verdict: Verdict
    alert: RaisedAlert | None
    days_to_alert: int | None
    n_false_alarms: int


@dataclass(frozen=True)
class DemoReport:
    """A whole cohort; patients in the order of the truth file."""

    truth: Truth
    patients: tuple[PatientReport, ...]

    def count(self, verdict: Verdict) -> int:
        """Return the number of patients with a verdict."""
        return sum(row.verdict is verdict for row in self.patients)

    @property
    def median_days_to_alert(self) -> float | None:
        """Median nights from onset to alert over the onsets that were found."""
        days = [row.days_to_alert for row in self.patients if row.days_to_alert is not None]
        return float(median(days)) if days else None


def compare(settings: Settings, truth_path: Path) -> DemoReport:
    """Compare the warehouse with the truth of the cohort that was simulated into it.

    Parameters
    ----------
    settings : Settings
        The installation; its pseudonym secret joins the truth to the warehouse.
    truth_path : Path
        What `affect simulate` wrote.

    Raises
    ------
    AffectError
        If the truth cannot be read.
    WarehouseUnavailable
        If the warehouse does not answer.
    """
    from affect_pipeline.journals.identity import Pseudonyms

    truth = read_truth(truth_path)
    outcomes = _outcomes(settings)
    key_of = Pseudonyms(settings.pseudonym_key()).patient_key
    rows = []
    for patient in truth.patients:
        key = key_of(patient.source_id)
        rows.append(judge(key[:SHORT_KEY_CHARS], patient, outcomes.get(key, UNSEEN)))
    return DemoReport(truth, tuple(rows))


def judge(name: str, truth: PatientTruth, outcome: Outcome) -> PatientReport:
    """Compare one patient's outcome with the truth.

    An onset is found by an alert of worsening that is raised on a night not before it. Every other
    alert before an onset, and every alert without one, is a false alarm. A steady patient without an alert
    was only judged if there were enough data.
    """
    onset = truth.onset
    found = next((one for one in outcome.alerts if onset and _explains(onset, one)), None)
    false = [one for one in outcome.alerts if onset is None or one.opened_night < onset]
    if onset is not None:
        verdict = Verdict.FOUND if found else Verdict.MISSED
    elif false:
        verdict = Verdict.FALSE_ALARM
    else:
        verdict = Verdict.QUIET if outcome.state in JUDGED else Verdict.UNJUDGED
    return PatientReport(
        patient=name,
        role=truth.role,
        onset=onset,
        phone_changed=truth.phone_changed,
        outcome=outcome,
        verdict=verdict,
        alert=found or (false[0] if false else None),
        days_to_alert=(found.opened_night - onset).days if found and onset else None,
        n_false_alarms=len(false),
    )


def report(settings: Settings, truth_path: Path) -> Group:
    """Return the comparison as a table with its totals, for printing with rich."""
    return render(compare(settings, truth_path))


def render(demo: DemoReport) -> Group:
    """Return a report as a table with its totals, for printing with rich."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{len(demo.patients)} patients, nights {demo.truth.nights.first} to {demo.truth.nights.last}")
    for heading in ("Patient", "State", "Onset injected", "Alert raised", "Days to alert", "Verdict"):
        table.add_column(heading, justify="right" if heading == "Days to alert" else "left")
    for row in demo.patients:
        colour = COLOURS.get(row.verdict, "red")
        table.add_row(
            row.patient,
            _words(row.outcome.state),
            str(row.onset or "-"),
            str(row.alert.opened_night) if row.alert else "-",
            "-" if row.days_to_alert is None else str(row.days_to_alert),
            Text(_verdict_words(row), style=colour),
        )
    return Group(table, Text(_totals(demo)))


def _explains(onset: date, alert: RaisedAlert) -> bool:
    return alert.direction == WORSENING and alert.opened_night >= onset


def _verdict_words(row: PatientReport) -> str:
    words = str(row.verdict)
    if row.onset is not None and row.n_false_alarms:
        words += ", after a false alarm" if row.verdict is Verdict.FOUND else ", with a false alarm"
    if row.verdict is Verdict.FALSE_ALARM and row.phone_changed and row.alert:
        words += f" (new phone on {row.phone_changed})" if row.alert.opened_night >= row.phone_changed else ""
    return words


def _words(state: str) -> str:
    return state.replace("_", " ")


def _totals(demo: DemoReport) -> str:
    n_found, n_missed = demo.count(Verdict.FOUND), demo.count(Verdict.MISSED)
    lines = [f"{n_found} of {n_found + n_missed} onsets found"]
    if demo.median_days_to_alert is not None:
        lines[0] += f", half of them within {demo.median_days_to_alert:g} days"
    n_false = demo.count(Verdict.FALSE_ALARM)
    n_steady = n_false + demo.count(Verdict.QUIET)
    lines.append(f"{n_false} of {n_steady} patients who were judged and had no onset had a false alarm")
    n_little = sum(row.outcome.state == "too_little_data" for row in demo.patients)
    lines.append(f"{n_little} patients have too little data to be judged yet")
    return "; ".join(lines) + "."


def _outcomes(settings: Settings) -> Mapping[str, Outcome]:
    import sqlalchemy as sa

    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.queries import sql

    with connect(settings).connect() as connection:
        rows = connection.execute(sa.text(sql("simulate/list_patient_outcomes"))).all()
    by_patient: dict[str, list[Any]] = {}
    for row in rows:
        by_patient.setdefault(row.patient_key, []).append(row)
    return {key: Outcome(some[0].state, some[0].baseline_reason, _alerts(some)) for key, some in by_patient.items()}


def _alerts(rows: Iterable[Any]) -> tuple[RaisedAlert, ...]:
    return tuple(
        RaisedAlert(row.opened_night, row.direction, row.severity, row.onset_day)
        for row in rows
        if row.opened_night is not None
    )
