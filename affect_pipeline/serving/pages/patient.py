"""*Patient*: how one person sounds over time, what changed, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from affect_pipeline.serving import charts, words
from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.alerts import alert_actions
from affect_pipeline.serving.database import Queries, Row
from affect_pipeline.serving.overview import last_night
from affect_pipeline.serving.pages.assets import vega_version
from affect_pipeline.serving.pages.render import page
from affect_pipeline.serving.pages.today import in_words, with_words
from affect_pipeline.serving.paging import answer
from affect_pipeline.serving.patients import PatientKey, patient, trend
from affect_pipeline.serving.problems import not_found

router = APIRouter()
JOURNALS = 30
QUESTIONNAIRES = 60
RANGES = (30, 60, 120, 365)
Days = Annotated[int, Query(ge=7, le=1100)]
ChartName = Annotated[str, Path(max_length=20)]
MAIN_CHANNELS = ("depression", "valence")
CHARTS = ("trend", "evidence", "channels")
NOT_DRAWN = ("combined", "adherence")
"""Channels that are no small chart: one has its own, the other is one on every day that has a journal."""


@router.get("/dashboard/patients/{patient_key}", name="patient_page")
def patient_page(request: Request, person: Reader, patient_key: PatientKey, days: Days = 120) -> Response:
    """Show one patient."""
    with database_of(request).as_person(person.login) as queries:
        row = patient(queries, patient_key)
        shown = _trend(queries, row, days)
        night = last_night(queries)
        journals = patient_journals(queries, row, JOURNALS)
        marks = patient_marks(queries, shown)
        questionnaires = patient_questionnaires(queries, patient_key)
        self_harm = queries.row("get_self_harm", patient_key=patient_key)
        alerts = [{**with_words(alert, night), **_history(queries, alert)} for alert in shown["alerts"]]
    return page(
        request,
        "patient.html",
        title=f"Patient {patient_key[:8]}",
        patient=row,
        trend=shown,
        alerts=alerts,
        journals=[_journal_in_words(journal, row["time_zone"]) for journal in journals],
        marks=marks,
        questionnaires=questionnaires,
        self_harm=in_words(self_harm) if self_harm else None,
        summary=[_channel_summary(channel) for channel in shown["channels"] if channel["channel"] != "combined"],
        days=days,
        ranges=RANGES,
        charts=[name for name in CHARTS if _has_chart(shown, name)],
        vega=vega_version(),
        may_act=person.may_act,
    )


@router.get("/dashboard/patients/{patient_key}/charts/{name}.json", name="patient_chart")
def patient_chart(
    request: Request,
    person: Reader,
    patient_key: PatientKey,
    name: Annotated[str, Path(max_length=20)],
    days: Days = 120,
) -> Response:
    """Return a chart of a patient as Vega-Lite."""
    return answer(request, _chart(request, person.login, patient_key, name, days))


@router.get("/dashboard/patients/{patient_key}/charts/{name}.png", name="patient_picture")
def patient_picture(
    request: Request,
    person: Reader,
    patient_key: PatientKey,
    name: Annotated[str, Path(max_length=20)],
    days: Days = 120,
) -> Response:
    """Return the same chart as a picture."""
    return Response(charts.to_png(_chart(request, person.login, patient_key, name, days)), media_type="image/png")


def patient_charts(
    shown: Row, marks: Sequence[Row], name: str, questionnaires: Sequence[Row] = ()
) -> charts.Spec | None:
    """Return one of a patient's charts, or None if there is nothing to draw.

    Parameters
    ----------
    shown : dict
        The trend, as `schemas.Trend`.
    marks : Sequence of dict
        Changes to mark, as `patient_marks` returns them.
    name : str
        One of `CHARTS`.
    questionnaires : Sequence of dict
        As `patient_questionnaires` returns them.
    """
    days = (shown["first_day"], shown["last_day"])
    by_name = {channel["channel"]: channel for channel in shown["channels"]}
    main = next((by_name[channel] for channel in MAIN_CHANNELS if channel in by_name), None)
    if name == "trend" and main is not None:
        return charts.trend_chart(main, days, shown["alerts"], marks, questionnaires)
    if name == "evidence" and "combined" in by_name:
        return charts.evidence_chart(by_name["combined"], days, shown["alerts"])
    others = [channel for channel in shown["channels"] if channel["channel"] not in NOT_DRAWN]
    if name == "channels" and others:
        return charts.small_multiples(others, days)
    return None


def patient_journals(queries: Queries, row: Row, limit: int, days: tuple[date, date] | None = None) -> list[Row]:
    """Return the newest recordings of a patient, newest first."""
    return queries.rows(
        "list_patient_journals",
        patient_key=row["patient_key"],
        model_digest=row["model_digest"],
        first_day=days[0] if days else None,
        last_day=days[1] if days else None,
        after_day=None,
        after_id=None,
        page_size=limit,
    )


def patient_questionnaires(queries: Queries, patient_key: str) -> list[Row]:
    """Return the newest questionnaires of a patient, newest first, and those that were refused."""
    return queries.rows("list_patient_questionnaires", patient_key=patient_key, page_size=QUESTIONNAIRES)


def patient_marks(queries: Queries, shown: Row) -> list[Row]:
    """Return the days of a trend on which the device or the model changed: ``local_day`` and ``label``."""
    span = {name: shown[name] for name in ("patient_key", "first_day", "last_day")}
    return queries.rows("list_marks", **span)


def _chart(request: Request, login: str, patient_key: str, name: str, days: int) -> charts.Spec:
    with database_of(request).as_person(login) as queries:
        row = patient(queries, patient_key)
        shown = _trend(queries, row, days)
        marks = patient_marks(queries, shown) if name == "trend" else []
        questionnaires = patient_questionnaires(queries, patient_key) if name == "trend" else []
    spec = patient_charts(shown, marks, name, questionnaires)
    if spec is None:
        raise not_found("chart")
    return spec


def _trend(queries: Queries, row: Row, days: int) -> Row:
    last: date = row["last_day"] or row["first_night"]
    first = max(last - timedelta(days=days - 1), row["first_day"] or row["first_night"])
    return trend(queries, row, min(first, last), last)


def _history(queries: Queries, alert: Row) -> dict[str, Any]:
    zone = alert["time_zone"]
    actions = alert_actions(queries, alert["alert_id"])
    return {
        "events": queries.rows("list_alert_events", alert_id=alert["alert_id"]),
        "actions": [{**action, "at_local": words.local_time(action["at"], zone)} for action in actions],
    }


def _has_chart(shown: Row, name: str) -> bool:
    channels = {channel["channel"]: channel["days"] for channel in shown["channels"]}
    if name == "evidence":
        return bool(channels.get("combined"))
    return any(rows for channel, rows in channels.items() if channel != "combined")


def _channel_summary(channel: Row) -> Row:
    name = channel["channel"]
    known = words.channel(name)
    values = [day for day in channel["days"] if day["value"] is not None]
    newest = values[-1] if values else None
    baseline = channel["baseline"] or {}
    mean, sd = baseline.get("mean"), baseline.get("sd")
    shift = (newest["value"] - mean) / sd if newest and mean is not None and sd else None
    return {
        "label": known.label,
        "usual": words.with_unit(charts.display_value(name, mean), known.unit, known.digits),
        "newest": words.with_unit(
            charts.display_value(name, newest["value"]) if newest else None, known.unit, known.digits
        ),
        "day": newest["local_day"] if newest else None,
        "shift": shift,
        "phrase": "" if shift is None or abs(shift) < 1 else known.rising if shift > 0 else known.falling,
        "state": baseline.get("state"),
        "reason": baseline.get("reason"),
        "ready_on": baseline.get("ready_on"),
        "n_days": baseline.get("n_days"),
    }


def _journal_in_words(journal: Row, time_zone: str | None) -> Row:
    problems = [*journal["failed"], *([journal["problem"]] if journal["problem"] else [])]
    return {
        **journal,
        "when": words.local_time(journal["recorded_at"], journal["time_zone"] or time_zone)
        if journal["recorded_at"]
        else words.long_day(journal["local_day"]),
        "why": ", ".join(dict.fromkeys(words.reason_in_words(name) for name in problems or journal["warned"])),
    }
