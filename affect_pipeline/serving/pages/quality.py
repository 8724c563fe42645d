"""*Data quality*: whether the recordings can be trusted, and the runs that worked on them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from affect_pipeline.serving import charts
from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.overview import quality, refused_questionnaires, run_page
from affect_pipeline.serving.pages.assets import vega_version
from affect_pipeline.serving.pages.population import reports_of, shift_in_words
from affect_pipeline.serving.pages.render import page
from affect_pipeline.serving.paging import answer

router = APIRouter()
RUNS = 15


@router.get("/dashboard/quality", name="quality_page")
def quality_page(request: Request, person: Reader) -> Response:
    """Show the quality of the newest nights."""
    with database_of(request).as_person(person.login) as queries:
        found = quality(queries)
        runs = run_page(queries, RUNS)["runs"]
        refused = refused_questionnaires(queries, found)
    return page(
        request,
        "quality.html",
        title="Data quality",
        quality=found,
        runs=runs,
        refused=refused,
        reports=reports_of(request.app.state.settings, person, runs),
        shift_in_words=shift_in_words,
        vega=vega_version(),
    )


@router.get("/dashboard/quality/charts/nights.json", name="quality_chart")
def quality_chart(request: Request, person: Reader) -> Response:
    """Return the recordings of each night as Vega-Lite."""
    with database_of(request).as_person(person.login) as queries:
        found = quality(queries)
    return answer(request, charts.nights_chart(found["nights"]))
