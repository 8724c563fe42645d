"""Logging in with an access token, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from affect_pipeline.serving.access import Reader, TokenIdentity
from affect_pipeline.serving.options import ServingOptions
from affect_pipeline.serving.pages.render import page, url
from affect_pipeline.serving.problems import Problem, not_found
from affect_pipeline.serving.sessions import COOKIE, check_same_origin

router = APIRouter()


@router.get("/login", name="login_page")
def login_page(request: Request) -> Response:
    """Ask for an access token."""
    _own_login(request)
    return page(request, "login.html", error="")


@router.post("/login")
async def log_in(request: Request, token: Annotated[str, Form(max_length=500)] = "") -> Response:
    """Start a session."""
    identity = _own_login(request)
    options: ServingOptions = request.app.state.options
    check_same_origin(request)
    try:
        cookie = await identity.log_in(token)
    except Problem as problem:
        return page(request, "login.html", problem.status, error=problem.detail)
    response = RedirectResponse(url(request, "today_page"), 303)
    response.set_cookie(
        COOKIE, cookie, max_age=options.session_s, httponly=True, samesite="lax", secure=options.secure_cookies
    )
    return response


@router.post("/logout", name="log_out")
def log_out(request: Request, person: Reader) -> Response:
    """End the session."""
    response = RedirectResponse(url(request, "login_page"), 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return response


def _own_login(request: Request) -> TokenIdentity:
    identity = request.app.state.identity
    if not isinstance(identity, TokenIdentity):
        raise not_found("page")
    return identity
