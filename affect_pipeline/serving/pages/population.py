"""Reports on the recordings as a whole, shown behind walls of their own: they bring scripts that are not ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from affect_pipeline.nights import Nights
from affect_pipeline.population.measures import BY_NAME, slice_in_words
from affect_pipeline.serving.access import Reader
from affect_pipeline.serving.people import Person
from affect_pipeline.serving.problems import forbidden, not_found
from affect_pipeline.settings import Settings

router = APIRouter()

ALL_CLINICS = frozenset({"analyst", "admin"})
"""Roles that see the whole cohort, and so the reports on it."""

WALLS = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A page without origin: its scripts reach no cookie, no page of ours and no network."""


@router.get("/dashboard/population/{nights}", name="population_report")
def population_report(request: Request, person: Reader, nights: str) -> FileResponse:
    """Show the report of one run on the recordings as a whole."""
    if person.role not in ALL_CLINICS:
        raise forbidden("Reports on the whole cohort are for analysts and administrators.")
    path = report_file(request.app.state.settings, nights)
    if path is None:
        raise not_found("report of these nights")
    return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": WALLS})


def report_file(settings: Settings, nights: str) -> Path | None:
    """Return the report of a run by the name of its nights, if there is one on this machine."""
    try:
        name = Nights.parse(nights).name
    except ValueError:
        return None
    path = settings.docs_dir / f"{name}-population.html"
    return path if path.is_file() else None


def reports_of(settings: Settings, person: Person, runs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the name of the report of each run that has one the person may see, by run id."""
    if person.role not in ALL_CLINICS:
        return {}
    named = {
        run["run_id"]: Nights(run["first_night"], run["last_night"]).name
        for run in runs
        if run["first_night"] and run["last_night"]
    }
    return {run_id: name for run_id, name in named.items() if report_file(settings, name)}


def shift_in_words(shift: Mapping[str, Any]) -> str:
    """Return one shift for people, for instance ``device phone-b: mean energy -6.1 dB``."""
    moved = BY_NAME[shift["measure"]].shift_in_words(shift["difference"])
    return f"{slice_in_words(shift['dimension'], shift['part'])}: {moved}"
