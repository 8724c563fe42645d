"""``GET /alerts``, one alert with its history, and what people do with it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from affect_pipeline.serving.access import Actor, Reader, database_of
from affect_pipeline.serving.database import Queries, Row
from affect_pipeline.serving.paging import NOT_MODIFIED, answer, decode_cursor, encode_cursor
from affect_pipeline.serving.problems import answers, not_found
from affect_pipeline.serving.schemas import AlertDetail, AlertPage, AlertState, Comment, Note

router = APIRouter(tags=["alerts"])
AlertId = Annotated[str, Path(pattern="^[0-9a-f]{8,64}$", description="The alert.", examples=["9c0d4b5e6f708192"])]
OPEN_STATES: tuple[AlertState, ...] = ("new", "acknowledged")
PATIENT_ALERTS = 100
NO_FILTER: dict[str, Any] = {
    "alert_id": None,
    "patient_key": None,
    "clinic": None,
    "severity": None,
    "since_night": None,
}


@router.get("/alerts", response_model=AlertPage, responses={**NOT_MODIFIED, **answers(401, 403, 422, 503)})
def list_alerts(
    request: Request,
    person: Reader,
    *,
    state: Annotated[list[AlertState], Query(description="States to list.")] = [*OPEN_STATES],  # noqa: B006
    clinic: Annotated[str | None, Query(max_length=200, description="Only this clinic.")] = None,
    severity: Annotated[str | None, Query(max_length=40, description="Only this severity.")] = None,
    patient_key: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$", description="Only this patient.")] = None,
    since_night: Annotated[date | None, Query(description="Only alerts opened on this night or later.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Page size.")] = 50,
    cursor: Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")] = None,
) -> Response:
    """List alerts, the most urgent first: by severity, then by strength of evidence."""
    filters = {"clinic": clinic, "severity": severity, "patient_key": patient_key, "since_night": since_night}
    with database_of(request).as_person(person.login) as queries:
        return answer(request, alert_page(queries, limit, cursor, state, **filters))


@router.get(
    "/alerts/{alert_id}", response_model=AlertDetail, responses={**NOT_MODIFIED, **answers(401, 403, 404, 422, 503)}
)
def get_alert(request: Request, person: Reader, alert_id: AlertId) -> Response:
    """Return one alert, what the pipeline said about it night by night, and what people did."""
    with database_of(request).as_person(person.login) as queries:
        return answer(request, alert_detail(queries, alert_id))


@router.post(
    "/alerts/{alert_id}/acknowledge", response_model=AlertDetail, responses=answers(401, 403, 404, 413, 422, 503)
)
def acknowledge(request: Request, person: Actor, alert_id: AlertId, note: Note) -> Response:
    """Say that you have seen the alert and take care of it. Doing it twice changes nothing."""
    with database_of(request).as_person(person.login) as queries:
        act(queries, alert_id, person.login, "acknowledged", note.comment)
        return answer(request, alert_detail(queries, alert_id))


@router.post("/alerts/{alert_id}/resolve", response_model=AlertDetail, responses=answers(401, 403, 404, 413, 422, 503))
def resolve(request: Request, person: Actor, alert_id: AlertId, note: Note) -> Response:
    """Say that nothing more needs to be done. Doing it twice changes nothing."""
    with database_of(request).as_person(person.login) as queries:
        act(queries, alert_id, person.login, "resolved", note.comment)
        return answer(request, alert_detail(queries, alert_id))


@router.post("/alerts/{alert_id}/comment", response_model=AlertDetail, responses=answers(401, 403, 404, 413, 422, 503))
def comment(request: Request, person: Actor, alert_id: AlertId, note: Comment) -> Response:
    """Add a comment for colleagues."""
    with database_of(request).as_person(person.login) as queries:
        act(queries, alert_id, person.login, "commented", note.comment)
        return answer(request, alert_detail(queries, alert_id))


def alert_page(
    queries: Queries, limit: int, cursor: str | None, states: list[AlertState], **filters: Any
) -> dict[str, Any]:
    """Return one page of alerts, as `AlertPage`.

    Parameters
    ----------
    queries : Queries
        On behalf of the person who asks.
    limit : int
        Page size.
    cursor : str or None
        ``next_cursor`` of the page before.
    states : list of str
        Which states to list.
    **filters : object
        ``clinic``, ``severity``, ``patient_key``, ``since_night``.
    """
    if filters.get("alert_id") is None and filters.get("patient_key") is None:
        queries.note_view("patients_listed")
    after = decode_cursor(cursor, (int, float, str)) or [None, None, None]
    rows = queries.rows(
        "list_alerts",
        states=list(states),
        open_only="resolved" not in states,
        after_rank=after[0],
        after_score=after[1],
        after_id=after[2],
        page_size=limit + 1,
        **{**NO_FILTER, **filters},
    )
    more = len(rows) > limit
    rows = rows[:limit]
    mark = [rows[-1]["severity_rank"], float(rows[-1]["score"]), rows[-1]["alert_id"]] if more else None
    return {"alerts": [_public(row) for row in rows], "next_cursor": encode_cursor(mark) if mark else None}


def alerts_of_patient(queries: Queries, patient_key: str) -> list[Row]:
    """Return the alerts of one patient, the most urgent first."""
    states: list[AlertState] = ["new", "acknowledged", "resolved"]
    alerts: list[Row] = alert_page(queries, PATIENT_ALERTS, None, states, patient_key=patient_key)["alerts"]
    return alerts


def alert_detail(queries: Queries, alert_id: str) -> Row:
    """Return one alert with its history, as `AlertDetail`.

    Raises
    ------
    Problem
        404 if there is no such alert for the person who asks.
    """
    states: list[AlertState] = ["new", "acknowledged", "resolved"]
    found = alert_page(queries, 1, None, states, alert_id=alert_id)["alerts"]
    if not found:
        raise not_found("alert")
    queries.note_view("alert_viewed", found[0]["patient_key"])
    return {
        **found[0],
        "events": queries.rows("list_alert_events", alert_id=alert_id),
        "actions": alert_actions(queries, alert_id),
    }


def alert_actions(queries: Queries, alert_id: str) -> list[Row]:
    """Return what people did with an alert, oldest first; analysts do not see what they wrote."""
    name = "list_alert_actions" if queries.reads_comments else "list_alert_actions_without_words"
    return queries.rows(name, alert_id=alert_id)


def act(queries: Queries, alert_id: str, actor: str, kind: str, text: str) -> None:
    """Note what a person did with an alert; a state that holds already is not noted again.

    Raises
    ------
    Problem
        404 if there is no such alert for the person who acts.
    """
    alert = alert_detail(queries, alert_id)
    holds = kind == alert["state"] or (kind == "acknowledged" and alert["state"] == "resolved")
    text = text.replace("\x00", "").strip()
    if kind != "commented" and holds:
        kind = "commented"
        if not text:
            return
    queries.run("add_alert_action", alert_id=alert_id, actor=actor, kind=kind, comment=text or None)


def _public(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "severity_rank"}
