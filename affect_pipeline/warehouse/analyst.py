"""The analyst queries of ``sql/queries``: what there is, and running one with bound parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import sqlalchemy as sa

from affect_pipeline.errors import AffectError
from affect_pipeline.warehouse.queries import names, sql


class QueryError(AffectError):
    """There is no such query, or a parameter it does not have was given."""


@dataclass(frozen=True)
class AnalystQuery:
    """One query: its name, the parameters it takes, and the first line of its comment."""

    name: str
    parameters: tuple[str, ...]
    purpose: str


def list_queries() -> list[AnalystQuery]:
    """Return all analyst queries, by name."""
    return [_describe(name) for name in names("queries")]


def run_query(connectable: sa.Engine | sa.Connection, name: str, values: Mapping[str, object]) -> pd.DataFrame:
    """Run an analyst query; parameters that are not given take the query's defaults.

    Raises
    ------
    QueryError
        If there is no such query or it has no such parameter; lists what there is.
    """
    if name not in names("queries"):
        raise QueryError(f"there is no query {name!r}; there are {', '.join(names('queries'))}")
    query = _describe(name)
    if unknown := sorted(set(values) - set(query.parameters)):
        takes = ", ".join(query.parameters) or "no parameters"
        raise QueryError(f"{name} does not take {', '.join(unknown)}; it takes {takes}")
    bound = {parameter: values.get(parameter) for parameter in query.parameters}
    if isinstance(connectable, sa.Engine):
        with connectable.connect() as connection:
            return _frame(connection, name, bound)
    return _frame(connectable, name, bound)


def _frame(connection: sa.Connection, name: str, values: Mapping[str, object]) -> pd.DataFrame:
    result = connection.execute(sa.text(sql(f"queries/{name}")), dict(values))
    return pd.DataFrame(result.all(), columns=list(result.keys()))


def _describe(name: str) -> AnalystQuery:
    text = sql(f"queries/{name}")
    purpose = text.splitlines()[0].removeprefix("--").strip()
    parameters = tuple(sorted(sa.text(text).compile().params))
    return AnalystQuery(name, parameters, purpose)
