"""A hash of what the warehouse says, for telling whether two histories ended the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from affect_pipeline.errors import MigrationError
from affect_pipeline.warehouse.queries import sql


@dataclass(frozen=True)
class TableHash:
    """What one table holds: its rows, counted and hashed."""

    table: str
    n_rows: int
    digest: str


def table_hashes(engine: sa.Engine) -> list[TableHash]:
    """Return rows and hash of every table that counts, by name, all from one moment.

    The hash does not depend on the order rows were written in, and changes with the last bit of any float. Tables and
    columns whose comment starts with ``[clock]`` are left out: they say when and by whom, not what.

    Raises
    ------
    MigrationError
        If the database holds no warehouse yet.
    """
    with engine.connect() as connection:
        if connection.execute(sa.text(sql("ledger/find_schema"))).scalar_one() is None:
            raise MigrationError("this database holds no warehouse yet. Run `affect warehouse migrate`.")
        rows = connection.execute(sa.text(sql("ledger/hash_tables"))).all()
    return [TableHash(name, int(n_rows), digest) for name, n_rows, digest in rows]


def content_hash(engine: sa.Engine) -> dict[str, str]:
    """Return the hash of every table that counts: name -> SHA-256, hex. See `table_hashes` and `total_hash`."""
    return {row.table: row.digest for row in table_hashes(engine)}


def total_hash(tables: Mapping[str, str]) -> str:
    """Return one SHA-256 over the hashes of all tables."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(tables.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
