"""The warehouse as the web service sees it: named queries, always as somebody.

Whose rows come back is decided in the warehouse by row-level security. This module only says on
whose behalf a statement runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from affect_pipeline.errors import WarehouseUnavailable
from affect_pipeline.warehouse.queries import sql

if TYPE_CHECKING:
    from affect_pipeline.settings import Settings

Row = dict[str, Any]


class Database:
    """Named queries on the warehouse.

    Parameters
    ----------
    settings : Settings
        Where the warehouse is. It is reached when it is first needed, so that the service starts without it.
    engine : sqlalchemy.Engine, optional
        An engine to use instead.
    """

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self._settings, self._given = settings, engine

    @cached_property
    def engine(self) -> Engine:
        """The engine of the warehouse.

        Raises
        ------
        WarehouseUnavailable
            If it cannot be reached.
        """
        if self._given is not None:
            return self._given
        from affect_pipeline.warehouse.engine import connect

        return connect(self._settings)

    @contextmanager
    def as_person(self, login: str) -> Iterator[Queries]:
        """Open a transaction that sees what one person may see, and acts in that person's name.

        Parameters
        ----------
        login : str
            The person.

        Raises
        ------
        AccessDenied
            If there is no such person, or the person is no longer active.
        WarehouseUnavailable
            If the warehouse cannot be reached.
        """
        from affect_pipeline.warehouse.access import as_person

        try:
            with as_person(self.engine, login) as connection:
                queries = Queries(connection)
                yield queries
                queries.flush_views()
        except OperationalError as error:
            raise WarehouseUnavailable("the warehouse", "AFFECT_WAREHOUSE_URL", type(error).__name__) from error

    @contextmanager
    def as_service(self) -> Iterator[Queries]:
        """Open a transaction of the service itself: to find out who somebody is, and for health checks.

        Raises
        ------
        WarehouseUnavailable
            If the warehouse cannot be reached.
        """
        try:
            with self.engine.begin() as connection:
                yield Queries(connection)
        except OperationalError as error:
            raise WarehouseUnavailable("the warehouse", "AFFECT_WAREHOUSE_URL", type(error).__name__) from error


class Queries:
    """The named queries of one transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        The transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._views: set[tuple[str, str | None]] = set()

    def note_view(self, what: str, patient_key: str | None = None) -> None:
        """Have the audit trail say that the person looked at a patient, once the answer is complete.

        Events are written at the very end of the transaction: the chain has one writer at a time.
        """
        self._views.add((what, patient_key))

    def flush_views(self) -> None:
        """Write the views that were noted."""
        for what, patient_key in sorted(self._views, key=str):
            self.rows("note_view", what=what, patient_key=patient_key)
        self._views.clear()

    @cached_property
    def reads_comments(self) -> bool:
        """Whether this session may read what people wrote about alerts; the warehouse decides."""
        row = self.row("may_read_comments")
        return bool(row and row["reads_comments"])

    def rows(self, name: str, **values: Any) -> list[Row]:
        """Run a query of ``sql/serving`` and return its rows.

        Parameters
        ----------
        name : str
            The name of its file, without ``.sql``.
        **values : object
            Its bound parameters.
        """
        found = self._run(name, values)
        names = list(found.keys())
        # A mapping a row would cost more than the query: a trend has a thousand rows.
        return [dict(zip(names, row, strict=True)) for row in found]

    def row(self, name: str, **values: Any) -> Row | None:
        """Run a query and return its first row, or None."""
        found = self._run(name, values).mappings().first()
        return None if found is None else dict(found)

    def run(self, name: str, **values: Any) -> int:
        """Run a statement and return how many rows it changed."""
        return int(self._run(name, values).rowcount)

    def _run(self, name: str, values: Mapping[str, Any]) -> Any:
        return self._connection.execute(text(sql(f"serving/{name}")), dict(values))
