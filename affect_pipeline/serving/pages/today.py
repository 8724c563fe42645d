"""*Today*: who needs somebody now, why, and what could not be judged."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from affect_pipeline.monitoring.burden import burden
from affect_pipeline.serving import words
from affect_pipeline.serving.access import Actor, Reader, database_of
from affect_pipeline.serving.alerts import AlertId, act, alert_detail, alert_page
from affect_pipeline.serving.database import Queries, Row
from affect_pipeline.serving.overview import last_night, population
from affect_pipeline.serving.pages.moved import moved_channels
from affect_pipeline.serving.pages.population import shift_in_words
from affect_pipeline.serving.pages.render import page, url
from affect_pipeline.serving.problems import Problem
from affect_pipeline.serving.schemas import AlertState

router = APIRouter()
PAGE_SIZE = 25
SHORT_LIST = 12
SELF_HARM_NIGHTS = 14
"""How long an answer to the ninth question stays on the page: until the next PHQ is due."""

KINDS = {"acknowledge": "acknowledged", "resolve": "resolved", "comment": "commented"}
VIEWS: dict[str, list[AlertState]] = {
    "open": ["new", "acknowledged"],
    "new": ["new"],
    "acknowledged": ["acknowledged"],
    "resolved": ["resolved"],
}


@router.get("/dashboard", name="today_page")
def today_page(
    request: Request,
    person: Reader,
    view: Annotated[str, Query(max_length=20)] = "open",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """List alerts, the most urgent first, and what else a counselor should know today."""
    states = VIEWS.get(view, VIEWS["open"])
    with database_of(request).as_person(person.login) as queries:
        night = last_night(queries)
        alerts = alert_page(queries, PAGE_SIZE, cursor, states)
        teams = burden(request.app.state.settings, queries.rows("summarise_alert_burden"))
        values = _around(queries, night)
        self_harm = _self_harm(queries, night)
        whole = population(queries)
    rows = [with_words(alert, night) for alert in alerts["alerts"]]
    return page(
        request,
        "today.html",
        title="Today",
        view=view if view in VIEWS else "open",
        views=list(VIEWS),
        night=night,
        alerts=rows,
        next_cursor=alerts["next_cursor"],
        over_budget=[team for team in teams if team.exceeded],
        may_act=person.may_act,
        self_harm=self_harm,
        shifted=whole if whole and whole["shifts"] else None,
        shift_in_words=shift_in_words,
        **values,
    )


@router.post("/dashboard/alerts/{alert_id}", name="act_on_alert")
def act_on_alert(
    request: Request,
    person: Actor,
    alert_id: AlertId,
    *,
    action: Annotated[str, Form(max_length=20)],
    comment: Annotated[str, Form(max_length=4000)] = "",
    back: Annotated[str, Form(max_length=20)] = "patient",
) -> Response:
    """Acknowledge, resolve or comment from a page, and go back to it."""
    kind = KINDS.get(action)
    if kind is None or (kind == "commented" and not comment.strip()):
        detail = "Write a comment first." if kind else f"`action` must be one of {', '.join(KINDS)}."
        raise Problem(422, "invalid-request", "Nothing was changed", detail)
    with database_of(request).as_person(person.login) as queries:
        act(queries, alert_id, person.login, kind, comment)
        patient_key = alert_detail(queries, alert_id)["patient_key"]
    if back == "today":
        return RedirectResponse(url(request, "today_page"), 303)
    return RedirectResponse(f"{url(request, 'patient_page', patient_key=patient_key)}#alert-{alert_id[:8]}", 303)


def with_words(alert: Row, night: Row | None) -> Row:
    """Return an alert with what a page says about it."""
    as_of = night["night"] if night else alert["opened_night"]
    onset = alert["onset_day"] or alert["opened_day"]
    return {
        **alert,
        "since": words.days_ago(onset, as_of) if onset else words.NONE,
        "opened": words.days_ago(alert["opened_night"], as_of),
        "certainty": words.certainty(alert["evidence"]),
        "moved": moved_channels(alert["channels"]),
        "last_action_local": words.local_time(alert["last_action_at"], alert["time_zone"]),
    }


def _self_harm(queries: Queries, night: Row | None) -> list[Row]:
    """Return who answered the ninth question of the PHQ-9 with more than "not at all", lately."""
    first = night["night"] - timedelta(days=SELF_HARM_NIGHTS - 1) if night else date.min
    return [in_words(row) for row in queries.rows("list_recent_self_harm", first_night=first)]


def in_words(answer: Row) -> Row:
    """Return an answer to the ninth question with what a page says about it."""
    return {**answer, "how_often": words.PHQ_ANSWERS[answer["item_9"]]}


def _around(queries: Queries, night: Row | None) -> dict[str, Any]:
    """Return what changed on the newest night, and who could not be judged."""
    unjudged = queries.rows("list_unjudged", page_size=SHORT_LIST + 1)
    if len(unjudged) <= SHORT_LIST:
        unjudged += queries.rows("list_without_baseline", page_size=SHORT_LIST + 1 - len(unjudged))
    if night is None:
        return {
            "changes": {},
            "unjudged": unjudged[:SHORT_LIST],
            "more_unjudged": len(unjudged) > SHORT_LIST,
            "unheard": [],
        }
    events = queries.rows("list_night_events", night=night["night"], page_size=200)
    changes: dict[str, list[Row]] = {"opened": [], "updated": [], "resolved": []}
    for event in events:
        changes.setdefault(str(event["kind"]), []).append(event)
    return {
        "changes": changes,
        "unjudged": unjudged[:SHORT_LIST],
        "more_unjudged": len(unjudged) > SHORT_LIST,
        "unheard": queries.rows("summarise_night_quarantine", night=night["night"], page_size=SHORT_LIST),
    }
