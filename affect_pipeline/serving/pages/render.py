"""Templates and what they all need: addresses, words, the person, the token of forms."""

from __future__ import annotations

from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from affect_pipeline.serving import words
from affect_pipeline.serving.access import Visitor, csrf_token

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
PAGES = (
    ("today_page", "Today"),
    ("patients_page", "Patients"),
    ("cohort_page", "Cohort"),
    ("quality_page", "Data quality"),
    ("model_page", "Model"),
)


def url(request: Request, name: str, /, **parts: Any) -> str:
    """Return the address of a route below whatever prefix the application is mounted under."""
    prefix: str = request.scope.get("root_path", "").rstrip("/")
    return prefix + str(request.app.url_path_for(name, **parts))


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template.

    Parameters
    ----------
    request : Request
        The request; says who is looking and under which prefix.
    template : str
        Name of the template.
    status : int
        HTTP status.
    **values : object
        What the template shows.
    """
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    html = (
        environment()
        .get_template(template)
        .render(
            url=partial(url, request),
            person=visitor.person if visitor else None,
            csrf_token=csrf_token(request),
            own_login=request.app.state.identity.has_own_login,
            pages=PAGES,
            **values,
        )
    )
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the template environment: everything is escaped, and a name that is missing is an error."""
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    made.filters.update(
        day=words.long_day,
        number=words.number,
        unit=words.with_unit,
        share=_share,
        short=lambda key: str(key)[:8],
        reason=words.reason_in_words,
        spaced=lambda name: str(name).replace("_", " "),
    )
    made.globals.update(words=words, today_iso=date.isoformat)
    made.trim_blocks = made.lstrip_blocks = True
    return made


def _share(part: float | None, whole: float | None) -> str:
    return f"{100 * (part or 0) / whole:.0f} %" if whole else words.NONE
