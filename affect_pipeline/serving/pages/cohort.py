"""*Cohort*: how everybody is doing, in counts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from affect_pipeline.serving import charts
from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.overview import cohort
from affect_pipeline.serving.pages.assets import vega_version
from affect_pipeline.serving.pages.render import page
from affect_pipeline.serving.paging import answer
from affect_pipeline.serving.problems import not_found

router = APIRouter()
COUNTS = ("n_patients", "n_alert", "n_stable", "n_too_little_data", "n_withdrawn")


@router.get("/dashboard/cohort", name="cohort_page")
def cohort_page(request: Request, person: Reader) -> Response:
    """Show the cohort in counts."""
    with database_of(request).as_person(person.login) as queries:
        found = cohort(queries)
    total = {name: sum(clinic[name] for clinic in found["clinics"]) for name in COUNTS}
    names = [name for name, rows in (("weeks", found["weeks"]), ("alerts", found["alerts"])) if rows]
    return page(request, "cohort.html", title="Cohort", cohort=found, total=total, charts=names, vega=vega_version())


@router.get("/dashboard/cohort/charts/{name}.json", name="cohort_chart")
def cohort_chart(request: Request, person: Reader, name: Annotated[str, Path(max_length=20)]) -> Response:
    """Return a chart of the cohort as Vega-Lite."""
    with database_of(request).as_person(person.login) as queries:
        found = cohort(queries)
    if name == "weeks":
        return answer(request, charts.weeks_chart(found["weeks"]))
    if name == "alerts":
        return answer(request, charts.alert_weeks_chart(found["alerts"], found["weeks"]))
    raise not_found("chart")
