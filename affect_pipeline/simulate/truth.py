"""What is true of a simulated cohort. The pipeline never reads it; the report does.

The truth names patients by their source identifiers, so it lies outside the landing zone and the
warehouse, and only somebody who holds the pseudonym secret can join it to the results.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from affect_pipeline import files
from affect_pipeline.errors import AffectError
from affect_pipeline.nights import Nights
from affect_pipeline.simulate.cohort import CohortPlan, Role
from affect_pipeline.simulate.moods import RAMP_DAYS

FORMAT = 1


@dataclass(frozen=True)
class PatientTruth:
    """The truth of one patient.

    Parameters
    ----------
    onset : date or None
        First local day with changed speech.
    phone_changed : date or None
        First day with another phone.
    n_journals, n_faulty : int
        Journals delivered, and those of them that something is wrong with.
    """

    source_id: str
    speaker: str
    role: Role
    onset: date | None
    phone_changed: date | None
    n_journals: int
    n_faulty: int


@dataclass(frozen=True)
class Incident:
    """Something wrong with one journal: the fault, and the night on which it arrived."""

    source_id: str
    night: date
    fault: str


@dataclass(frozen=True)
class Truth:
    """The truth of a cohort."""

    seed: int
    source: str
    nights: Nights
    ramp_days: int
    patients: tuple[PatientTruth, ...]
    incidents: tuple[Incident, ...]


def truth_of(plan: CohortPlan) -> Truth:
    """Return what is true of a planned cohort."""
    patients = []
    for patient in plan.patients:
        journals = plan.select(lambda journal, who=patient: journal.patient is who)  # type: ignore[misc]
        patients.append(
            PatientTruth(
                source_id=patient.source_id,
                speaker=patient.speaker,
                role=patient.role,
                onset=None if patient.onset_day is None else plan.date_of(patient.onset_day),
                phone_changed=plan.date_of(patient.devices[1][0]) if len(patient.devices) > 1 else None,
                n_journals=len(journals),
                n_faulty=sum(journal.fault is not None for journal in journals),
            )
        )
    incidents = [
        Incident(journal.patient.source_id, journal.night, journal.fault.value)
        for journal in plan.journals
        if journal.fault is not None
    ]
    return Truth(plan.seed, plan.source, plan.nights, RAMP_DAYS, tuple(patients), tuple(incidents))


def write_truth(truth: Truth, path: Path) -> None:
    """Write the truth as JSON."""
    content = asdict(truth) | {"format": FORMAT, "nights": truth.nights.name}
    files.write_json(_plain(content), path)


def read_truth(path: Path) -> Truth:
    """Read a truth file.

    Raises
    ------
    AffectError
        If there is no such file, or it is not one that `write_truth` wrote.
    """
    try:
        content = files.read_json(path)
        return Truth(
            seed=content["seed"],
            source=content["source"],
            nights=Nights.parse(content["nights"]),
            ramp_days=content["ramp_days"],
            patients=tuple(_patient(row) for row in content["patients"]),
            incidents=tuple(
                Incident(row["source_id"], date.fromisoformat(row["night"]), row["fault"])
                for row in content["incidents"]
            ),
        )
    except FileNotFoundError:
        raise AffectError(f"{path} does not exist; `affect simulate --truth {path}` writes it") from None
    except (KeyError, TypeError, ValueError) as error:
        raise AffectError(f"{path} is not a truth file of `affect simulate`: {error}") from error


def _patient(row: dict[str, Any]) -> PatientTruth:
    days = {name: date.fromisoformat(row[name]) if row[name] else None for name in ("onset", "phone_changed")}
    return PatientTruth(**(row | days | {"role": Role(row["role"])}))


def _plain(value: Any) -> Any:
    """Return the value with dates as text, for JSON."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
