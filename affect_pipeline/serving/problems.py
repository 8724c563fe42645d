"""Errors as RFC 9457 problem details, one shape for every route.

A problem has a ``type`` (a stable word a program can act on), a ``title`` and a ``detail`` for a
person. Nothing in it names a patient, a file or a path of the server.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from affect_pipeline.errors import AccessDenied, AffectError, UnavailableError

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger(__name__)

ProblemPage = Callable[[Request, "Problem"], Response]


class ProblemDetails(BaseModel):
    """The body of every error answer (RFC 9457)."""

    type: str = Field(description="A stable word for the kind of problem.", examples=["too-large"])
    title: str = Field(description="The kind of problem in words.", examples=["The recording is too large"])
    status: int = Field(description="The HTTP status.", examples=[413])
    detail: str = Field(default="", description="What was wrong this time, and what would have been right.")
    reason: str | None = Field(default=None, description="Machine-readable reason of a refused recording.")
    errors: list[dict[str, Any]] | None = Field(default=None, description="Each invalid field of the request.")


class Problem(AffectError):
    """An answer that is an error.

    Parameters
    ----------
    status : int
        The HTTP status.
    kind : str
        The ``type`` of the problem, in kebab case.
    title, detail : str
        The kind of problem and this one, in words.
    headers : Mapping[str, str], optional
        Extra response headers, ``Retry-After`` for instance.
    extra : dict, optional
        Further members of the body.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        self.status, self.kind, self.title, self.detail = status, kind, title, detail
        self.headers = dict(headers or {})
        self.extra = extra
        super().__init__(f"{status} {title}: {detail}")

    def body(self) -> dict[str, Any]:
        """Return the members of the problem details object."""
        return {"type": self.kind, "title": self.title, "status": self.status, "detail": self.detail, **self.extra}


def unauthenticated(detail: str = "Log in, or send an access token as `Authorization: Bearer ...`.") -> Problem:
    """Return the answer to somebody we do not know."""
    return Problem(401, "not-logged-in", "You are not logged in", detail, {"WWW-Authenticate": "Bearer"})


def forbidden(detail: str) -> Problem:
    """Return the answer to somebody who may not do this."""
    return Problem(403, "not-allowed", "You are not allowed to do this", detail)


def not_found(what: str) -> Problem:
    """Return the answer for a thing that is not there, or not there for this person."""
    return Problem(404, "not-found", "Not found", f"There is no such {what}, or it is not one of yours to see.")


def busy(retry_after_s: int, detail: str = "Too many recordings are waiting.") -> Problem:
    """Return the answer when a queue is full."""
    return Problem(503, "busy", "The service is busy", detail, {"Retry-After": str(retry_after_s)})


DESCRIPTIONS = {
    400: "The request cannot be read",
    401: "Nobody is logged in",
    403: "This person may not do this",
    404: "No such thing, or not one of yours to see",
    409: "It is no longer in a state that allows this",
    413: "The body is too large; it was not read",
    415: "The body is not of a type this route takes",
    422: "The request, or the recording in it, cannot be used; `reason` or `errors` say why",
    503: "Busy, or something behind the service cannot be reached; try again after `Retry-After` seconds",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI ``responses`` of a route that may answer with these problems."""
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    return {
        status: {"description": DESCRIPTIONS[status], "content": {MEDIA_TYPE: schema}, "model": ProblemDetails}
        for status in sorted(statuses)
    }


def install(app: FastAPI, page: ProblemPage) -> None:
    """Answer every error of the application with problem details, or with `page` where pages are asked for.

    Parameters
    ----------
    app : FastAPI
        The application.
    page : callable
        Renders a problem as an HTML page; used for people with a browser.
    """

    def render(request: Request, problem: Problem) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return page(request, problem)
        return JSONResponse(problem.body(), problem.status, problem.headers, MEDIA_TYPE)

    def handler(translate: Callable[[Any], Problem]) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def handle(request: Request, error: Exception) -> Response:
            return render(request, translate(error))

        return handle

    app.add_exception_handler(Problem, handler(lambda error: error))
    app.add_exception_handler(HTTPException, handler(_of_http))
    app.add_exception_handler(RequestValidationError, handler(_of_validation))
    app.add_exception_handler(AccessDenied, handler(_of_denied))
    app.add_exception_handler(UnavailableError, handler(_of_unavailable))
    app.add_exception_handler(DataError, handler(_of_data))
    app.add_exception_handler(Exception, handler(_of_bug))


def _of_http(error: HTTPException) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase
    kind = {401: "not-logged-in", 403: "not-allowed"}.get(error.status_code, phrase.lower().replace(" ", "-"))
    detail = error.detail if error.detail != phrase else ""
    return Problem(error.status_code, kind, phrase, detail, error.headers)


def _of_validation(error: RequestValidationError) -> Problem:
    errors = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"], "kind": e["type"]} for e in error.errors()]
    return Problem(422, "invalid-request", "The request is not valid", "See `errors`.", errors=errors)


def _of_unavailable(error: UnavailableError) -> Problem:
    log.error("%s", error)
    detail = f"{error.what[:1].upper()}{error.what[1:]} cannot be reached."
    return Problem(503, "unavailable", "Something the service needs is away", detail, {"Retry-After": "5"})


def _of_denied(error: AccessDenied) -> Problem:
    log.warning("%s", error)
    return forbidden("You have no access to this warehouse, or no longer.")


def _of_data(error: DataError) -> Problem:
    log.info("a value could not be looked up: %s", type(error.orig).__name__)
    detail = "A value holds something that the warehouse cannot look up, a zero byte for instance."
    return Problem(422, "invalid-request", "The request is not valid", detail)


def _of_bug(error: Exception) -> Problem:
    log.error("a request failed", exc_info=error)
    return Problem(500, "internal-error", "Something went wrong on our side", "It was logged; nothing was changed.")
