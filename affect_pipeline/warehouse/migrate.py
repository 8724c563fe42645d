"""Bringing the schema up to date.

``sql/migrations/NNNN_name.sql`` are applied once each, in order, and never change afterwards. What can be put up anew
at any time (functions, views, roles and policies) stands in ``sql/functions``, ``sql/views`` and ``sql/roles`` and is
applied again whenever any of it has changed. One transaction does it all under an advisory lock, so that of several
processes one works and the others find nothing left to do.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from affect_pipeline.errors import MigrationError
from affect_pipeline.warehouse.queries import sql, sql_dir

LOCK_KEY = 0x61666665637400  # "affect"; any number that nobody else locks
REPEATABLE_FOLDERS = ("functions", "views", "roles")
REPEATABLE_NAME = "repeatable"
_FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+")
_OLDEST_SERVER = 150000


@dataclass(frozen=True)
class Migration:
    """One numbered migration on disk."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations_on_disk(folder: Path | None = None) -> list[Migration]:
    """Return the numbered migrations in order.

    Raises
    ------
    MigrationError
        If a file is not called ``NNNN_name.sql``, or two share a number.
    """
    paths = sorted((folder or sql_dir() / "migrations").glob("*.sql"))
    seen: dict[str, str] = {}
    for path in paths:
        if not _FILE_NAME.fullmatch(path.stem):
            raise MigrationError(f"{path.name} should be called NNNN_<name>.sql, in lower case")
        if path.stem[:4] in seen:
            raise MigrationError(f"{seen[path.stem[:4]]} and {path.name} share a number; renumber the newer one")
        seen[path.stem[:4]] = path.name
    return [Migration(path.stem, path.read_text(encoding="utf-8")) for path in paths]


def migrate(engine: sa.Engine, folder: Path | None = None) -> list[str]:
    """Apply what is missing, all of it or nothing.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        A login that owns the database or may create schemas, and may create roles.
    folder : Path, optional
        Folder with the SQL files; the package's own by default.

    Returns
    -------
    list of str
        Names of the migrations applied, ``"repeatable"`` for functions, views and roles; empty if up to date.

    Raises
    ------
    MigrationError
        If an applied migration was edited or is gone, the server is too old, or a statement fails.
    """
    root = folder or sql_dir()
    migrations = migrations_on_disk(root / "migrations")
    repeatable = _repeatable(root)
    with engine.begin() as connection:
        cursor = connection.connection.driver_connection
        assert cursor is not None
        _check_server(cursor)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        _make_ledger(cursor)
        applied = dict(cursor.execute("SELECT name, checksum FROM affect.schema_migrations").fetchall())
        pending = _pending(migrations, applied)
        for migration in pending:
            _apply(cursor, migration.name, migration.text)
            _record(connection, migration.name, migration.checksum)
        done = [migration.name for migration in pending]
        checksum = hashlib.sha256("\0".join(text for _, text in repeatable).encode()).hexdigest()
        if pending or applied.get(REPEATABLE_NAME) != checksum:
            for name, text in repeatable:
                _apply(cursor, name, text)
            _record(connection, REPEATABLE_NAME, checksum)
            done.append(REPEATABLE_NAME)
    return done


def _repeatable(root: Path) -> list[tuple[str, str]]:
    return [
        (f"{folder}/{path.stem}", path.read_text(encoding="utf-8"))
        for folder in REPEATABLE_FOLDERS
        for path in sorted((root / folder).glob("*.sql"))
    ]


def _check_server(cursor: Any) -> None:
    if cursor.info.server_version < _OLDEST_SERVER:
        raise MigrationError(
            f"the warehouse needs PostgreSQL 15 or newer; this is {cursor.info.server_version // 10000}"
        )


def _make_ledger(cursor: Any) -> None:
    _apply(cursor, "schema_migrations", sql("ledger/schema_migrations"))


def _pending(migrations: list[Migration], applied: dict[str, str]) -> list[Migration]:
    on_disk = {migration.name: migration for migration in migrations}
    for name, checksum in sorted(applied.items()):
        if name == REPEATABLE_NAME:
            continue
        if name not in on_disk:
            raise MigrationError(
                f"migration {name} was applied to this warehouse but is not on disk: "
                "this warehouse belongs to a newer affect-pipeline. Install that version."
            )
        if on_disk[name].checksum != checksum:
            raise MigrationError(
                f"migration {name} was edited after it was applied (applied {checksum[:12]}, "
                f"on disk {on_disk[name].checksum[:12]}). Restore sql/migrations/{name}.sql, and put the change "
                "into a new migration with the next number."
            )
    pending = [migration for migration in migrations if migration.name not in applied]
    newest = max((name for name in applied if name != REPEATABLE_NAME), default="")
    if pending and pending[0].name < newest:
        raise MigrationError(
            f"migration {pending[0].name} comes before {newest}, which is applied already. Renumber it."
        )
    return pending


def _apply(cursor: Any, name: str, text: str) -> None:
    try:
        cursor.execute(text)
    except psycopg.Error as error:
        raise MigrationError(f"{name} failed, nothing was changed: {str(error).strip()}") from error


def _record(connection: sa.Connection, name: str, checksum: str) -> None:
    connection.execute(sa.text(sql("ledger/record_migration")), {"name": name, "checksum": checksum})
