"""Taking in questionnaires that another system hands over as FHIR.

Only for patients who are known here and have not withdrawn their consent: a questionnaire that comes with a recording
or on its own says so itself, a FHIR resource does not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from affect_pipeline.errors import AffectError, QuestionnaireError
from affect_pipeline.interop.questionnaires import PatientName, Response, Unusable, read_responses
from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.journals.questionnaires import (
    Arrival,
    QuestionnaireRow,
    accepted,
    check_answers,
    refused,
    store_questionnaires,
)
from affect_pipeline.journals.sidecar import known_zone, local_day_of
from affect_pipeline.privacy.audit import record
from affect_pipeline.settings import Settings

MAX_FILE_BYTES = 100_000_000


class UnreadableFile(AffectError):
    """A file holds no FHIR JSON."""


@dataclass(frozen=True)
class Received:
    """What was taken in.

    Parameters
    ----------
    n_taken : int
        Questionnaires that can be used.
    n_self_harm : int
        Questionnaires whose ninth question was answered with more than "not at all", refused ones too.
    refused : dict
        Number of the others, by reason.
    """

    n_taken: int
    n_self_harm: int
    refused: dict[str, int]


def receive(settings: Settings, files: list[Path], night: date, actor: str | None = None) -> Received:
    """Read QuestionnaireResponses (PHQ-9) and store their answers; all files or, if one cannot be read, none.

    Parameters
    ----------
    settings : Settings
        The installation.
    files : list of Path
        JSON with one resource or a bundle, or NDJSON (``.ndjson``).
    night : date
        Night of arrival.
    actor : str, optional
        Who handed them over; by default the system user.

    Returns
    -------
    Received

    Raises
    ------
    UnreadableFile
        If a file holds no JSON.
    """
    from affect_pipeline.warehouse.engine import connect

    contents = [content for file in files for content in _contents(file)]
    pseudonyms = Pseudonyms(settings.pseudonym_key())
    rows: list[QuestionnaireRow] = []
    reasons: Counter[str] = Counter()
    with connect(settings).begin() as connection:
        for content in contents:
            for found in read_responses(content, settings.fhir_patient_system):
                row = _row(connection, pseudonyms, found, night)
                if isinstance(row, QuestionnaireRow):
                    rows.append(row)
                    reasons.update([row.problem] if row.problem else [])
                else:
                    reasons.update([row])
        store_questionnaires(connection, rows)
        n_taken = sum(row.problem is None for row in rows)
        record(connection, "questionnaires_received", None, actor, n_taken=n_taken, refused=dict(reasons))
    return Received(n_taken, sum(row.self_harm for row in rows), dict(sorted(reasons.items())))


def _row(
    connection: sa.Connection, pseudonyms: Pseudonyms, found: Response | Unusable, night: date
) -> QuestionnaireRow | str:
    """Return the row of a questionnaire; only the reason where there is nobody it could be stored for."""
    if found.patient is None:
        assert isinstance(found, Unusable)
        return found.refusal.reason
    known = connection.execute(_query("find_patient_zone"), {"patient_key": _key(pseudonyms, found.patient)}).first()
    if known is None:
        return "patient_unknown"
    # The name is the sender's: it goes no further than the key, as a path in the landing zone does.
    arrival = Arrival(
        pseudonyms.delivery_key(f"fhir:{found.patient.value}:{found.name}"), known.patient_key, night, "fhir"
    )  # fmt: skip
    if isinstance(found, Unusable):
        return refused(QuestionnaireError(found.refusal.reason, found.refusal.detail), arrival, found.item_9)
    offset = found.authored.utcoffset()
    assert offset is not None
    day = local_day_of(found.authored, round(offset.total_seconds() / 60), known_zone(known.time_zone))
    try:
        return accepted(check_answers("PHQ-9", found.items, found.authored, day, night=night), arrival)
    except QuestionnaireError as error:
        return refused(error, arrival, found.items[-1])


def _key(pseudonyms: Pseudonyms, patient: PatientName) -> str:
    return patient.value if patient.is_pseudonym else pseudonyms.patient_key(patient.value)


def _contents(file: Path) -> Iterator[object]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise UnreadableFile(f"{file} is larger than {MAX_FILE_BYTES:,} bytes")
        text = file.read_text(encoding="utf-8-sig")
        lines = [line for line in text.splitlines() if line.strip()] if file.suffix == ".ndjson" else [text]
        yield from [json.loads(line) for line in lines]
    except (ValueError, RecursionError, OSError) as error:
        raise UnreadableFile(f"{file} cannot be read as JSON ({type(error).__name__})") from None


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"interop/{name}"))
