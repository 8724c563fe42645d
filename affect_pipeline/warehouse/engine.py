"""Connections to the warehouse."""

from __future__ import annotations

import os
from threading import Lock
from typing import Any

import sqlalchemy as sa

from affect_pipeline.errors import SettingsError, StackError, WarehouseUnavailable
from affect_pipeline.settings import Settings

APPLICATION_NAME = "affect-pipeline"
CONNECT_TIMEOUT_S = 10

_engines: dict[tuple[int, str], sa.Engine] = {}
_engines_lock = Lock()


def warehouse_url(settings: Settings) -> sa.URL:
    """Return the SQLAlchemy URL of the warehouse, starting the embedded server where no URL is set.

    Raises
    ------
    SettingsError
        If ``AFFECT_WAREHOUSE_URL`` is not the URL of a PostgreSQL database.
    WarehouseUnavailable
        If the embedded server cannot be started.
    """
    if not settings.warehouse_url:
        from affect_pipeline.warehouse.embedded import embedded_server

        try:
            return sa.make_url(embedded_server(settings).url())
        except StackError as error:
            raise WarehouseUnavailable("the embedded PostgreSQL", "AFFECT_HOME", str(error).rstrip(".")) from error
    try:
        url = sa.make_url(settings.warehouse_url)
    except sa.exc.ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres") or not url.database:
        raise SettingsError("AFFECT_WAREHOUSE_URL must look like postgresql://user:password@host:5432/database")
    return url.set(drivername="postgresql+psycopg")


def libpq_url(url: sa.URL, hide_password: bool = False) -> str:
    """Return a URL as psql and pg_dump read it: they know ``%20`` but take ``+`` for a plus."""
    address, mark, query = url.set(drivername="postgresql").render_as_string(hide_password).partition("?")
    return address + mark + query.replace("+", "%20")


def connect(settings: Settings) -> sa.Engine:
    """Return the engine of the warehouse: one a process and URL, checked to answer.

    Sessions see the schema ``affect`` first on their search path and keep time in UTC.

    Raises
    ------
    SettingsError
        If ``AFFECT_WAREHOUSE_URL`` is not the URL of a PostgreSQL database.
    WarehouseUnavailable
        If the warehouse does not answer; names the setting, never the password.
    """
    try:
        return _checked(engine_for(warehouse_url(settings)))
    except WarehouseUnavailable:
        if settings.warehouse_url:
            raise
        # The embedded server may have died between being seen and being asked; it is started again then.
        return _checked(engine_for(warehouse_url(settings)))


def engine_for(url: sa.URL) -> sa.Engine:
    """Return this process's engine for a URL, without trying whether it answers."""
    with _engines_lock:
        # The process is part of the key: connections must not be shared with a forked child.
        key = (os.getpid(), url.render_as_string(hide_password=False))
        if key not in _engines:
            _engines[key] = create_engine(url)
        return _engines[key]


def disconnect(settings: Settings) -> None:
    """Close this process's connections to a warehouse, whatever their login; the next `connect` opens new ones."""
    if settings.warehouse_url:
        place = _place(sa.make_url(settings.warehouse_url))
    else:
        from affect_pipeline.warehouse.embedded import socket_dir

        place = (None, None, "affect", str(socket_dir(settings)))
    with _engines_lock:
        for key, engine in list(_engines.items()):
            if key[0] == os.getpid() and _place(engine.url) == place:
                _engines.pop(key).dispose()


def _place(url: sa.URL) -> tuple[object, ...]:
    return (url.host, url.port, url.database, url.query.get("host"))


def create_engine(url: sa.URL | str, **arguments: Any) -> sa.Engine:
    """Return a new engine whose sessions are set up as the warehouse wants them."""
    engine = sa.create_engine(
        url,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": APPLICATION_NAME},
        **arguments,
    )
    sa.event.listen(engine, "connect", _set_up_session)
    return engine


def _set_up_session(connection: Any, _record: Any) -> None:
    connection.execute("SET search_path = affect, public")
    connection.execute("SET timezone = 'UTC'")
    connection.commit()


def _checked(engine: sa.Engine) -> sa.Engine:
    try:
        with engine.connect():
            return engine
    except sa.exc.OperationalError as error:
        where = engine.url.render_as_string(hide_password=True)
        detail = str(error.orig).splitlines()[0] if error.orig else ""
        raise WarehouseUnavailable(f"the warehouse at {where}", "AFFECT_WAREHOUSE_URL", detail) from error
