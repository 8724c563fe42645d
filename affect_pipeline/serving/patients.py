"""``GET /patients`` and ``GET /patients/{patient_key}/trend``."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from affect_pipeline.serving import words
from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.alerts import alerts_of_patient
from affect_pipeline.serving.database import Queries, Row
from affect_pipeline.serving.paging import NOT_MODIFIED, answer, decode_cursor, encode_cursor
from affect_pipeline.serving.problems import Problem, answers, not_found
from affect_pipeline.serving.schemas import PATIENT_EXAMPLE, PatientPage, PatientState, Trend

DEFAULT_DAYS = 120
MAX_DAYS = 1100

router = APIRouter(tags=["patients"])
PatientKey = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Pseudonym.", examples=[PATIENT_EXAMPLE])]
Day = Annotated[date | None, Query(description="A day in the patient's time zone.")]


@router.get("/patients", response_model=PatientPage, responses={**NOT_MODIFIED, **answers(401, 403, 422, 503)})
def list_patients(
    request: Request,
    person: Reader,
    *,
    clinic: Annotated[str | None, Query(max_length=200, description="Only this clinic.")] = None,
    state: Annotated[PatientState | None, Query(description="Only this state.")] = None,
    key_prefix: Annotated[str | None, Query(pattern="^[0-9a-f]{1,32}$", description="Start of the key.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Page size.")] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
) -> Response:
    """List the patients you may see, with their state."""
    with database_of(request).as_person(person.login) as queries:
        page = patient_page(queries, limit, cursor, clinic=clinic, state=state, key_prefix=key_prefix)
    return answer(request, page)


@router.get(
    "/patients/{patient_key}/trend",
    response_model=Trend,
    responses={**NOT_MODIFIED, **answers(401, 403, 404, 422, 503)},
)
def get_trend(
    request: Request,
    person: Reader,
    patient_key: PatientKey,
    first_day: Day = None,
    last_day: Day = None,
) -> Response:
    """Return how one patient sounds over time, beside what was expected, and the alerts of that time.

    Without a range it is the last 120 days that there are.
    """
    with database_of(request).as_person(person.login) as queries:
        return answer(request, trend(queries, patient(queries, patient_key), first_day, last_day))


def patient_page(queries: Queries, limit: int, cursor: str | None, **filters: Any) -> dict[str, Any]:
    """Return one page of patients, as `PatientPage`.

    Parameters
    ----------
    queries : Queries
        On behalf of the person who asks.
    limit : int
        Page size.
    cursor : str or None
        ``next_cursor`` of the page before.
    **filters : object
        ``clinic``, ``state`` and ``key_prefix``; None leaves one out.
    """
    after = decode_cursor(cursor, (str,))
    rows = queries.rows("list_patients", after=after[0] if after else None, page_size=limit + 1, **filters)
    queries.note_view("patients_listed")
    more = len(rows) > limit
    rows = rows[:limit]
    return {"patients": rows, "next_cursor": encode_cursor([rows[-1]["patient_key"]]) if more else None}


def patient(queries: Queries, patient_key: str) -> Row:
    """Return one patient with the model version and days of the newest judgement.

    Raises
    ------
    Problem
        404 if there is no such patient for the person who asks.
    """
    row = queries.row("get_patient", patient_key=patient_key)
    if row is None:
        raise not_found("patient")
    queries.note_view("patient_viewed", patient_key)
    return row


def day_range(row: Row, first_day: date | None, last_day: date | None) -> tuple[date, date]:
    """Return the days a trend covers: what was asked for, or the last `DEFAULT_DAYS` since the first recording.

    Raises
    ------
    Problem
        422 if the range ends before it begins or is longer than `MAX_DAYS`.
    """
    try:
        last = last_day or row["last_day"] or row["first_night"]
        begun = row["first_day"] or row["first_night"]
        first = first_day or min(last, max(begun, last - timedelta(days=DEFAULT_DAYS - 1)))
    except OverflowError:
        first = date.min
    if first > last or (last - first).days >= MAX_DAYS:
        detail = f"`first_day` must not lie after `last_day`, and a trend covers at most {MAX_DAYS} days."
        raise Problem(422, "invalid-request", "The request is not valid", detail)
    return first, last


def trend(queries: Queries, row: Row, first_day: date | None = None, last_day: date | None = None) -> Row:
    """Return the trend of one patient, as `Trend`.

    Parameters
    ----------
    queries : Queries
        On behalf of the person who asks.
    row : dict
        The patient, as `patient` returns it.
    first_day, last_day : datetime.date, optional
        The range; see `day_range`.
    """
    first, last = day_range(row, first_day, last_day)
    key = {"patient_key": row["patient_key"], "model_digest": row["model_digest"]}
    days = queries.rows("list_trend_days", first_day=first, last_day=last, **key)
    baselines = {baseline.pop("channel"): baseline for baseline in queries.rows("list_baselines", **key)}
    by_channel = {name: list(rows) for name, rows in groupby(days, key=lambda day: str(day.pop("channel")))}
    names = sorted({*by_channel, *baselines}, key=_channel_order)
    return {
        **{name: row[name] for name in ("patient_key", "clinic", "time_zone", "model_digest")},
        "first_day": first,
        "last_day": last,
        "channels": [
            {
                "channel": name,
                "label": words.channel(name).label,
                "unit": words.channel(name).unit,
                "baseline": baselines.get(name),
                "days": by_channel.get(name, []),
            }
            for name in names
        ],
        "alerts": alerts_of_patient(queries, row["patient_key"]),
    }


def _channel_order(name: str) -> tuple[int, str]:
    order = list(words.CHANNELS)
    return (order.index(name) if name in order else len(order), name)
