"""Connections that see what one person may see, and nothing else.

The rows are chosen in the warehouse by row-level security (``sql/roles``). A person's statements run on a connection
of their own kind: it logs in as ``affect_web_counselor``, ``affect_web_analyst`` or ``affect_web_admin``, each a member
of one role only, so that no SQL on it can become anybody with more rights (``SET ROLE`` on the pipeline's own
connection could be undone by ``RESET ROLE``). Who the person is travels as a token that the warehouse signed with keys
which that connection cannot read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from affect_pipeline.errors import AccessDenied, WarehouseUnavailable
from affect_pipeline.warehouse.engine import engine_for
from affect_pipeline.warehouse.queries import sql

SESSION_S = 900
"""How long one transaction of a person may last before its token is no longer believed, in seconds."""


@contextmanager
def as_person(engine: sa.Engine, login: str) -> Iterator[sa.Connection]:
    """Open a transaction that sees and does what one person may; it is committed at the end.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The warehouse as the service itself sees it (owner, or a member of ``affect_pipeline``).
    login : str
        The person, whom the caller has recognised already.

    Yields
    ------
    sqlalchemy.Connection
        Do not commit it inside: the identity lasts as long as its transaction.

    Raises
    ------
    AccessDenied
        If there is no such person, or the person is no longer active.
    WarehouseUnavailable
        If the person's role cannot log in to the warehouse.
    """
    role, password, token = _open_session(engine, login)
    with _connect(engine, role, password) as connection, connection.begin():
        connection.execute(sa.text(sql("access/set_session")), {"token": token})
        yield connection


def _open_session(engine: sa.Engine, login: str) -> tuple[str, str, str]:
    with engine.connect() as connection:
        values = {"login": login, "valid_s": SESSION_S}
        row = connection.execute(sa.text(sql("access/open_session")), values).one_or_none()
    if row is None:
        raise AccessDenied(f"{login!r} is not a person who may look into this warehouse")
    return str(row.person_role), str(row.web_password), str(row.token)


def _connect(engine: sa.Engine, role: str, password: str) -> sa.Connection:
    person_engine = engine_for(engine.url.set(username=f"affect_web_{role}", password=password))
    try:
        return person_engine.connect()
    except sa.exc.OperationalError as error:
        if not isinstance(error.orig, psycopg.OperationalError) or "password" not in str(error.orig):
            raise _unavailable(role, error) from error
    # No password yet, or another warehouse on the same server has set its own: roles belong to the server.
    with engine.begin() as connection:
        connection.execute(sa.text(sql("access/reset_web_passwords")))
    try:
        return person_engine.connect()
    except sa.exc.OperationalError as error:
        raise _unavailable(role, error) from error


def _unavailable(role: str, error: sa.exc.OperationalError) -> WarehouseUnavailable:
    said = str(error.orig).splitlines()[0] if error.orig else ""
    return WarehouseUnavailable(f"the warehouse as affect_web_{role}", "AFFECT_WAREHOUSE_URL", said)
