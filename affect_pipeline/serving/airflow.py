"""The same application inside Airflow, behind Airflow's login.

Airflow says who somebody is; the warehouse says what that person may see: a person's login in the
warehouse is the user name in Airflow. Without one, the answer is 403. The application is built when
the first request comes, since Airflow loads plugins often and in processes that never serve a page.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from affect_pipeline.serving.access import Visitor
    from affect_pipeline.serving.database import Database
    from affect_pipeline.settings import Settings

WEBSOCKET_POLICY = 1008


class AirflowIdentity:
    """Who asks, by Airflow's login.

    Parameters
    ----------
    database : Database
        Knows which Airflow users may see patients.
    """

    has_own_login = False

    def __init__(self, database: Database) -> None:
        self.database = database

    async def visitor(self, connection: HTTPConnection) -> Visitor:
        """Return who asks.

        Raises
        ------
        Problem
            401 if nobody is logged in to Airflow, 403 if the user has no place in the warehouse.
        """
        from affect_pipeline.serving.access import Visitor
        from affect_pipeline.serving.people import find_by_login
        from affect_pipeline.serving.problems import forbidden

        name, by_cookie = await airflow_user(connection)
        person = await run_in_threadpool(find_by_login, self.database, name)
        if person is None:
            raise forbidden(f"The Airflow user {name!r} has no access to patients. Ask for `affect people add {name}`.")
        return Visitor(person, f"airflow:{name}", by_cookie)


async def airflow_user(connection: HTTPConnection) -> tuple[str, bool]:
    """Return the name of the Airflow user who asks, and whether the browser sent the proof by itself.

    Raises
    ------
    Problem
        401 if nobody is logged in, or the login has run out.
    """
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import HTTPException
    from fastapi.security import HTTPAuthorizationCredentials

    from affect_pipeline.serving.problems import unauthenticated

    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    bearer = None
    if scheme.lower() == "bearer" and token:
        bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=token.strip())
    try:
        user = await get_user(connection, None, bearer)  # type: ignore[arg-type]
    except HTTPException as error:
        raise unauthenticated("Log in to Airflow.") from error
    return user.get_name(), bearer is None


class LoginWall:
    """Lets nobody through who is not logged in to Airflow: pages, data, styles and health alike.

    Parameters
    ----------
    app : ASGIApp
        The application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        from affect_pipeline.serving.problems import MEDIA_TYPE, Problem

        if scope["type"] in ("http", "websocket"):
            try:
                await airflow_user(HTTPConnection(scope))
            except Problem as problem:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": WEBSOCKET_POLICY})
                    return
                answer = JSONResponse(problem.body(), problem.status, problem.headers, MEDIA_TYPE)
                await answer(scope, receive, send)
                return
        await self.app(scope, receive, send)


class LazyApp:
    """An application that is built when the first request comes.

    Parameters
    ----------
    settings : Settings, optional
        By default those of the environment.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        self._built: ASGIApp | None = None
        self._building = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Build the application if need be, and pass the request on."""
        if self._built is None:
            async with self._building:
                if self._built is None:
                    self._built = await asyncio.to_thread(self._build)
        await self._built(scope, receive, send)

    def _build(self) -> ASGIApp:
        from affect_pipeline.serving.app import create_app
        from affect_pipeline.serving.database import Database
        from affect_pipeline.settings import get_settings

        settings = self._settings or get_settings()
        app: FastAPI = create_app(settings, identity=AirflowIdentity(Database(settings)), frame_ancestors="'self'")
        return LoginWall(app)


def plugin_app(settings: Settings | None = None) -> ASGIApp:
    """Return the application for Airflow's plugin; it may be mounted under any prefix.

    Parameters
    ----------
    settings : Settings, optional
        By default those of the environment, read when the first request comes.
    """
    return LazyApp(settings)
