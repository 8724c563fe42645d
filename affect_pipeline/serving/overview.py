"""``GET /cohort``, ``/quality`` and ``/runs``: the whole, in counts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.database import Queries, Row
from affect_pipeline.serving.paging import NOT_MODIFIED, answer, decode_cursor, encode_cursor
from affect_pipeline.serving.problems import Problem, answers
from affect_pipeline.serving.schemas import Cohort, Quality, RunPage

COHORT_WEEKS = 26
QUALITY_NIGHTS = 30
MAX_SHIFTS = 50

router = APIRouter(tags=["overview"])
ANSWERS = {**NOT_MODIFIED, **answers(401, 403, 422, 503)}


@router.get("/cohort", response_model=Cohort, responses=ANSWERS)
def get_cohort(
    request: Request,
    person: Reader,
    weeks: Annotated[int, Query(ge=1, le=260, description="Weeks before the newest night.")] = COHORT_WEEKS,
) -> Response:
    """Return how the patients you may see are doing, in counts by clinic and week."""
    with database_of(request).as_person(person.login) as queries:
        return answer(request, cohort(queries, weeks))


@router.get("/quality", response_model=Quality, responses=ANSWERS)
def get_quality(
    request: Request,
    person: Reader,
    nights: Annotated[int, Query(ge=1, le=1100, description="Nights up to the newest one.")] = QUALITY_NIGHTS,
) -> Response:
    """Return how good the recordings were: by night, by reason and by device."""
    with database_of(request).as_person(person.login) as queries:
        return answer(request, quality(queries, nights))


@router.get("/runs", response_model=RunPage, responses=ANSWERS)
def list_runs(
    request: Request,
    person: Reader,
    limit: Annotated[int, Query(ge=1, le=200, description="Page size.")] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
) -> Response:
    """List the runs of the pipeline, newest first."""
    with database_of(request).as_person(person.login) as queries:
        return answer(request, run_page(queries, limit, cursor))


def last_night(queries: Queries) -> Row | None:
    """Return the newest night that was worked on, and its counts."""
    return queries.row("get_last_night")


def cohort(queries: Queries, weeks: int = COHORT_WEEKS) -> dict[str, Any]:
    """Return the cohort in counts, as `Cohort`."""
    night = last_night(queries)
    as_of: date | None = night["night"] if night else None
    span = _span(as_of, weeks * 7)
    return {
        "as_of_night": as_of,
        "clinics": queries.rows("summarise_cohort"),
        "weeks": queries.rows("summarise_weeks", first_day=span[0], last_day=span[1]),
        "alerts": queries.rows("summarise_alert_weeks", first_day=span[0], last_day=span[1]),
    }


def quality(queries: Queries, n_nights: int = QUALITY_NIGHTS) -> dict[str, Any]:
    """Return how good the recordings were, as `Quality`."""
    night = last_night(queries)
    first, last = _span(night["night"] if night else None, n_nights)
    span = {"first_night": first, "last_night": last}
    return {
        "first_night": first if night else None,
        "last_night": last if night else None,
        "nights": queries.rows("list_nights", **span),
        "reasons": queries.rows("summarise_reasons", **span),
        "devices": queries.rows("summarise_devices", **span),
        "population": population(queries),
    }


def population(queries: Queries) -> dict[str, Any] | None:
    """Return whether the recordings as a whole have shifted, as `Population`; none if no night was compared."""
    found = queries.row("get_population_check")
    if found is None:
        return None
    shifts = (
        queries.rows("list_population_shifts", night=found["night"], page_size=MAX_SHIFTS) if found["n_shifted"] else []
    )
    return {**found, "shifts": shifts}


def refused_questionnaires(queries: Queries, shown: dict[str, Any]) -> list[Row]:
    """Return why questionnaires of the nights of a `quality` were refused, in counts."""
    if shown["last_night"] is None:
        return []
    span = {"first_night": shown["first_night"], "last_night": shown["last_night"]}
    return queries.rows("summarise_refused_questionnaires", **span)


def run_page(queries: Queries, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """Return one page of runs, as `RunPage`."""
    after = decode_cursor(cursor, (str, str)) or [None, None]
    start = None if after[0] is None else _moment(after[0])
    rows = queries.rows("list_runs", after_start=start, after_id=after[1], page_size=limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    mark = [rows[-1]["started_at"].isoformat(), rows[-1]["run_id"]] if more and rows[-1]["started_at"] else None
    return {"runs": rows, "next_cursor": encode_cursor(mark) if mark else None}


def _span(last: date | None, n_days: int) -> tuple[date, date]:
    end = last or date(2000, 1, 1)
    return end - timedelta(days=n_days - 1), end


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Problem(
            422, "invalid-request", "The request is not valid", "`cursor` must be the `next_cursor` of an earlier page."
        ) from None
