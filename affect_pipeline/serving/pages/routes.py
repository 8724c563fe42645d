"""All pages of the dashboard."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from affect_pipeline.serving.pages import assets, cohort, login, model, patient, patients, population, quality, today
from affect_pipeline.serving.pages.render import url

router = APIRouter(include_in_schema=False)
for module in (assets, login, today, patients, patient, cohort, quality, population, model):
    router.include_router(module.router)


@router.get("/")
def home(request: Request) -> RedirectResponse:
    """Go to the first page."""
    return RedirectResponse(url(request, "today_page"), 303)
