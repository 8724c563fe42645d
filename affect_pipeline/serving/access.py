"""Who asks, and whether they may.

Every route names the permission it needs with `requires`. Two kinds of installation know people in
two ways: `TokenIdentity` (our own login) here, and Airflow's login in `airflow`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request

from affect_pipeline.serving.people import Permission, Person, find_by_token
from affect_pipeline.serving.problems import forbidden, unauthenticated
from affect_pipeline.serving.sessions import (
    COOKIE,
    CSRF_FIELD,
    CSRF_HEADER,
    SAFE_METHODS,
    Session,
    SessionSigner,
    check_csrf,
    check_same_origin,
    token_digest,
)

if TYPE_CHECKING:
    from affect_pipeline.serving.database import Database

FORM_TYPES = ("application/x-www-form-urlencoded",)


@dataclass(frozen=True)
class Visitor:
    """A person and how we know.

    Parameters
    ----------
    person : Person
        Who it is.
    session_id : str
        What the person's forms are bound to.
    by_cookie : bool
        True if the browser sent the proof by itself, so that forms must prove where they come from.
    """

    person: Person
    session_id: str
    by_cookie: bool


class Identity(Protocol):
    """A way to find out who asks."""

    has_own_login: bool

    async def visitor(self, connection: HTTPConnection) -> Visitor:
        """Return who asks.

        Raises
        ------
        Problem
            401 if nobody is logged in, 403 if somebody is, but has no access.
        """
        ...


class TokenIdentity:
    """Our own login: an access token in the ``Authorization`` header, or a session made with one.

    Parameters
    ----------
    database : Database
        Holds people and the digests of their tokens.
    signer : SessionSigner
        Reads session cookies.
    clock : callable
        Returns Unix time in seconds.
    """

    has_own_login = True

    def __init__(self, database: Database, signer: SessionSigner, clock: Callable[[], float] = time.time) -> None:
        self.database, self.signer, self.clock = database, signer, clock

    async def visitor(self, connection: HTTPConnection) -> Visitor:
        """Return who asks; an explicit token wins over the cookie."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return await self._known(token_digest(token.strip()), by_cookie=False)
        session = self.signer.read(connection.cookies.get(COOKIE, ""), self.clock())
        if session is None:
            raise unauthenticated()
        return await self._known(session.token_id, by_cookie=True)

    async def log_in(self, token: str) -> str:
        """Return the session cookie for an access token.

        Raises
        ------
        Problem
            401 if the token is not a good one.
        """
        digest = token_digest(token.strip())
        visitor = await self._known(digest, by_cookie=True)
        return self.signer.write(Session(visitor.person.login, digest, int(self.clock())))

    async def _known(self, digest: str, by_cookie: bool) -> Visitor:
        person = await run_in_threadpool(find_by_token, self.database, digest)
        if person is None:
            raise unauthenticated("This access token is not known, or no longer good.")
        return Visitor(person, f"{person.login}:{digest}", by_cookie)


def requires(permission: Permission) -> Callable[[Request], Awaitable[Person]]:
    """Return a dependency that lets only people with a permission through.

    Parameters
    ----------
    permission : Permission
        What the route needs.

    Returns
    -------
    callable
        A dependency that returns the `Person`. It raises `Problem` 401 or 403, and checks that forms
        sent with a cookie come from our own pages.
    """

    async def allowed(request: Request) -> Person:
        visitor: Visitor = await request.app.state.identity.visitor(request)
        if not visitor.person.may(permission):
            raise forbidden(f"The role {visitor.person.role!r} does not include {permission.value!r}.")
        if visitor.by_cookie and request.method not in SAFE_METHODS:
            await _check_form(request, visitor)
        request.state.visitor = visitor
        return visitor.person

    return allowed


async def visitor_of_stream(connection: HTTPConnection, permission: Permission) -> Person:
    """Return who opens a WebSocket; a browser's must come from our own pages.

    Raises
    ------
    Problem
        401 or 403.
    """
    visitor: Visitor = await connection.app.state.identity.visitor(connection)
    if visitor.by_cookie:
        check_same_origin(connection)
    if not visitor.person.may(permission):
        raise forbidden(f"The role {visitor.person.role!r} does not include {permission.value!r}.")
    return visitor.person


def csrf_token(request: Request) -> str:
    """Return the token for the forms of the page that is being made."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    signer: SessionSigner = request.app.state.signer
    return "" if visitor is None else signer.csrf_token(visitor.session_id)


async def _check_form(request: Request, visitor: Visitor) -> None:
    check_same_origin(request)
    signer: SessionSigner = request.app.state.signer
    sent = request.headers.get(CSRF_HEADER)
    if sent is None and request.headers.get("content-type", "").startswith(FORM_TYPES):
        value = (await request.form()).get(CSRF_FIELD)
        sent = value if isinstance(value, str) else None
    check_csrf(sent, signer.csrf_token(visitor.session_id))


def database_of(request: Request) -> Database:
    """Return the warehouse of the application."""
    database: Database = request.app.state.database
    return database


Reader = Annotated[Person, Depends(requires(Permission.READ))]
Actor = Annotated[Person, Depends(requires(Permission.ACT))]
Analyzer = Annotated[Person, Depends(requires(Permission.ANALYZE))]
Uploader = Annotated[Person, Depends(requires(Permission.UPLOAD))]
