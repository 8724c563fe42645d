"""An error, as a page for people."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from affect_pipeline.serving.pages.render import page, url
from affect_pipeline.serving.problems import Problem


def problem_page(request: Request, problem: Problem) -> Response:
    """Render a problem; who is not logged in is sent to the login where there is one."""
    if problem.status == 401 and request.app.state.identity.has_own_login and not request.url.path.endswith("/login"):
        return RedirectResponse(url(request, "login_page"), 303)
    response = page(request, "problem.html", problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response
