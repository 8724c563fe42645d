"""Answers to the PHQ-9 and PHQ-8: reading what apps send, and storing it.

The PHQ asks how often, over the last two weeks, each of nine problems bothered somebody: from 0 (not at all) to 3
(nearly every day). The PHQ-8 leaves out the ninth, thoughts of being better off dead or of self-harm. It screens for
depression and follows its course; it does not diagnose. It was developed by R. L. Spitzer, J. B. W. Williams,
K. Kroenke and colleagues with a grant from Pfizer Inc.; no permission is required to reproduce, translate, display or
distribute it.

Kroenke, Spitzer & Williams (2001), The PHQ-9, J Gen Intern Med 16:606-613.
Kroenke et al. (2009), The PHQ-8 as a measure of current depression in the general population, J Affect Disord
114:163-173.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from affect_pipeline.errors import QuestionnaireError, SidecarError
from affect_pipeline.journals.sidecar import consent_of, json_object, known_zone, local_day_of, moment

if TYPE_CHECKING:
    import sqlalchemy as sa

FIELD = "questionnaire"
"""Where answers stand in a sidecar, and in a file of their own."""

N_ITEMS = {"PHQ-9": 9, "PHQ-8": 8}
MOST = 3
SELF_HARM_ITEM = 9

Source = Literal["journal", "file", "fhir"]


@dataclass(frozen=True)
class Answers:
    """Answers that make sense.

    Parameters
    ----------
    instrument : str
        ``PHQ-9`` or ``PHQ-8``.
    items : tuple of int
        Answers in the order of the questionnaire, each 0 to 3.
    answered_at : datetime
        When, in UTC.
    local_day : date
        Calendar day where the patient was.
    """

    instrument: str
    items: tuple[int, ...]
    answered_at: datetime
    local_day: date

    @property
    def total(self) -> int:
        """Sum of the answers."""
        return sum(self.items)

    @property
    def item_9(self) -> int | None:
        """Answer about thoughts of self-harm; None in a PHQ-8."""
        return self.items[SELF_HARM_ITEM - 1] if len(self.items) >= SELF_HARM_ITEM else None

    @property
    def questionnaire_id(self) -> str:
        """SHA-256 of what was answered and when: the same answers of a patient are the same questionnaire."""
        at = self.answered_at.astimezone(UTC).isoformat()
        return hashlib.sha256(json.dumps([self.instrument, at, list(self.items)]).encode()).hexdigest()


@dataclass(frozen=True)
class QuestionnaireRow:
    """One delivered questionnaire: a row of ``affect.questionnaires``.

    Parameters
    ----------
    delivery_key, patient_key : str
        Pseudonyms.
    night : date
        Night of arrival.
    source : str
        ``journal``, ``file`` or ``fhir``.
    local_day : date
        Day of the answers where the patient was; the night where that is not known.
    journal_id : str or None
        Recording it came with.
    questionnaire_id, instrument, answered_at, items, total
        As in `Answers`; None if it was refused.
    item_9 : int or None
        Also of refused answers, if it could be read: nobody should miss it because a total was wrong.
    problem, problem_detail : str or None
        Why it was refused, for machines and for people.
    """

    delivery_key: str
    patient_key: str
    night: date
    source: Source
    local_day: date
    journal_id: str | None = None
    questionnaire_id: str | None = None
    instrument: str | None = None
    answered_at: datetime | None = None
    items: tuple[int, ...] | None = None
    total: int | None = None
    item_9: int | None = None
    problem: str | None = None
    problem_detail: str | None = None

    @property
    def self_harm(self) -> bool:
        """Whether the ninth question was answered with more than "not at all"."""
        return bool(self.item_9)


@dataclass(frozen=True)
class Arrival:
    """Where and when a questionnaire came in.

    Parameters
    ----------
    delivery_key, patient_key : str
        Pseudonyms, see `identity.Pseudonyms`. A delivery that is read again under the same key replaces its row.
    night : date
        Night of arrival.
    source : str
        ``journal``, ``file`` or ``fhir``.
    journal_id : str or None
        Recording it came with.
    """

    delivery_key: str
    patient_key: str
    night: date
    source: Source
    journal_id: str | None = None


def check_answers(
    instrument: object,
    items: object,
    answered_at: datetime,
    local_day: date,
    *,
    night: date,
    total: object = None,
) -> Answers:
    """Check answers, wherever they come from.

    Parameters
    ----------
    instrument : object
        Its name; case, spaces and hyphens do not matter.
    items : object
        Answers in order: nine or eight whole numbers from 0 to 3.
    answered_at : datetime
        When, with its offset.
    local_day : date
        Calendar day where the patient was.
    night : date
        Night of arrival.
    total : object
        Total that came with the answers, if any.

    Raises
    ------
    QuestionnaireError
        With reason ``instrument_unknown``, ``items_malformed``, ``total_mismatch`` or ``answered_in_future``.
    """
    name = _instrument(instrument)
    if not isinstance(items, list | tuple) or len(items) != N_ITEMS[name]:
        raise QuestionnaireError("items_malformed", f"the {name} has {N_ITEMS[name]} items; all have to be answered")
    if not all(_is_answer(item) for item in items):
        raise QuestionnaireError("items_malformed", f"every item is a whole number from 0 to {MOST}")
    if total is not None and (isinstance(total, bool) or total != sum(items)):
        raise QuestionnaireError("total_mismatch", "the total is not the sum of the items")
    if local_day > night + timedelta(days=1):
        raise QuestionnaireError("answered_in_future", f"answered {(local_day - night).days} days after it arrived")
    return Answers(name, tuple(items), answered_at.astimezone(UTC), local_day)


def accepted(answers: Answers, arrival: Arrival) -> QuestionnaireRow:
    """Return the row of answers that were checked."""
    return QuestionnaireRow(
        **asdict(arrival),
        local_day=answers.local_day,
        questionnaire_id=answers.questionnaire_id,
        instrument=answers.instrument,
        answered_at=answers.answered_at,
        items=answers.items,
        total=answers.total,
        item_9=answers.item_9,
    )


def refused(error: QuestionnaireError, arrival: Arrival, item_9: int | None = None) -> QuestionnaireRow:
    """Return the row of answers that were refused."""
    return QuestionnaireRow(
        **asdict(arrival), local_day=arrival.night, item_9=item_9, problem=error.reason, problem_detail=error.detail
    )


def read_questionnaire(content: bytes, arrival: Arrival) -> QuestionnaireRow | None:
    """Read the questionnaire in a JSON file that anybody may have written.

    Parameters
    ----------
    content : bytes
        A sidecar, or a file with nothing but answers: ``{"questionnaire": {...}, "consent": true, ...}``.
    arrival : Arrival
        Where and when it came in.

    Returns
    -------
    QuestionnaireRow or None
        With ``problem`` set if it is refused; None if there is no questionnaire in it. Answers without consent are not
        kept at all.
    """
    try:
        fields = json_object(content)
    except SidecarError as error:
        # The sidecar of a recording says so itself.
        refusal = QuestionnaireError("questionnaire_malformed", error.detail)
        return refused(refusal, arrival) if arrival.source == "file" else None
    if fields.get(FIELD) is None:
        return None
    if (consent := consent_of(content)) is not True:
        withdrawn = consent is False
        reason = "consent_withdrawn" if withdrawn else "consent_missing"
        detail = "consent was withdrawn" if withdrawn else "nothing is said about consent"
        return refused(QuestionnaireError(reason, f"{detail}; the answers were not kept"), arrival)
    try:
        return accepted(_read(fields, arrival.night), arrival)
    except QuestionnaireError as error:
        return refused(error, arrival, _readable_item_9(fields[FIELD]))


def store_questionnaires(
    connection: sa.Connection, rows: Iterable[QuestionnaireRow], read_again: Sequence[str] = ()
) -> int:
    """Write questionnaires, inside the transaction of ``connection``.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Open connection; the caller commits. The patients have to be there, or nobody in a clinic sees the answers.
    rows : iterable of QuestionnaireRow
        From `accepted`, `refused` or `read_questionnaire`. A row replaces that of the same delivery, so that storing
        it again changes nothing.
    read_again : sequence of str
        Keys of all deliveries that were read: what they held before and hold no more is deleted.

    Returns
    -------
    int
        Rows written.
    """
    import pyarrow as pa
    import sqlalchemy as sa

    from affect_pipeline.warehouse.load import upsert
    from affect_pipeline.warehouse.queries import sql

    by_key = {row.delivery_key: row for row in sorted(rows, key=lambda row: row.journal_id or "", reverse=True)}
    if gone := sorted(set(read_again) - set(by_key)):
        connection.execute(sa.text(sql("delete_questionnaires")), {"delivery_keys": gone})
    if not by_key:
        return 0
    values = [asdict(by_key[key]) for key in sorted(by_key)]
    return upsert(connection, "questionnaires", pa.Table.from_pylist(values))


def _read(fields: Mapping[str, Any], night: date) -> Answers:
    given = fields[FIELD]
    if not isinstance(given, dict):
        raise QuestionnaireError("questionnaire_malformed", f"{FIELD} has to be a JSON object")
    zone = known_zone(given.get("time_zone")) or known_zone(fields.get("time_zone"))
    # Answers that come with a recording may leave out when: they were given with it.
    where, name = (fields, "recorded_at") if given.get("answered_at") is None and "recorded_at" in fields else (
        given, "answered_at"
    )  # fmt: skip
    try:
        answered_at, offset_min = moment(where, name, zone)
    except SidecarError as error:
        raise QuestionnaireError("questionnaire_malformed", error.detail) from error
    return check_answers(
        given.get("instrument"),
        given.get("items"),
        answered_at,
        local_day_of(answered_at, offset_min, zone),
        night=night,
        total=given.get("total"),
    )


def _instrument(value: object) -> str:
    letters = "".join(filter(str.isalnum, value)).upper() if isinstance(value, str) else ""
    for name in N_ITEMS:
        if letters == name.replace("-", ""):
            return name
    raise QuestionnaireError("instrument_unknown", f"the instrument has to be one of {', '.join(N_ITEMS)}")


def _is_answer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def _readable_item_9(given: object) -> int | None:
    """Return the ninth answer of something that is not valid as a whole."""
    items = given.get("items") if isinstance(given, dict) else None
    if not isinstance(items, list) or len(items) < SELF_HARM_ITEM:
        return None
    value = items[SELF_HARM_ITEM - 1]
    return value if _is_answer(value) else None
