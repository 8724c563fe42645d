"""Looking for a text everywhere an installation keeps something."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa

from affect_pipeline.files import read_metadata, read_parquet

LEFT_OUT = ("postgres", "secrets")
"""Folders not looked into: the databases are looked at row by row, the secret is what it is."""


def places_that_hold(texts: Iterable[str], home: Path, databases: Iterable[str]) -> list[str]:
    """Return where one of the texts was found: in file names, in files, in rows of databases.

    Parameters
    ----------
    texts : Iterable[str]
        What must not be found.
    home : Path
        State folder.
    databases : Iterable[str]
        SQLAlchemy URLs; every table of every schema is looked at, binary columns too.
    """
    needles = [form for text in texts for form in (text.encode(), text.encode().hex().encode())]
    found = []
    for place, content in [*_files(home), *_rows(databases)]:
        found += [place for needle in needles if needle in content]
    return found


def _files(home: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(home.rglob("*")):
        relative = path.relative_to(home)
        if relative.parts[0] in LEFT_OUT:
            continue
        yield f"name of {relative}", str(relative).encode()
        if path.is_file():
            yield str(relative), path.read_bytes()
        if path.suffix == ".parquet":
            rows = json.dumps([read_metadata(path), read_parquet(path).to_pylist()], default=str)
            yield f"rows of {relative}", rows.encode()


def _rows(databases: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for url in databases:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            for schema, table in _tables(connection):
                rows = connection.execute(sa.select("*").select_from(sa.table(table, schema=schema)))
                for row in rows:
                    yield f"{engine.url.database}: {schema}.{table}", b"\0".join(_bytes(value) for value in row)


def _tables(connection: sa.Connection) -> list[tuple[str | None, str]]:
    inspector = sa.inspect(connection)
    schemas = [name for name in inspector.get_schema_names() if name not in ("information_schema", "pg_catalog")]
    return [(schema, table) for schema in schemas for table in inspector.get_table_names(schema)]


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
