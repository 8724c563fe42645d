"""Backup and restore of the warehouse with PostgreSQL's own programs, from the wheel of the embedded server.

A backup holds pseudonymised health data and the keys that sign sessions: the file is written readable for its owner
only. A restore is one transaction: it happens whole or not at all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from affect_pipeline.errors import AffectError, StackError, WarehouseUnavailable
from affect_pipeline.privacy.erasure import erase_again
from affect_pipeline.privacy.keyfiles import read_keys, write_keys
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.embedded import binaries
from affect_pipeline.warehouse.engine import connect, libpq_url, warehouse_url
from affect_pipeline.warehouse.migrate import migrate
from affect_pipeline.warehouse.queries import sql, sql_dir

SCHEMAS = ("affect", "affect_private", "affect_omop")
LEFT_OUT = "--exclude-table-data=affect.voice_keys"
"""Keys are kept out of backups: see `privacy.keyfiles`."""
HEAD_BYTES = 8192


class BackupError(AffectError):
    """A backup could not be written or restored; the message says what PostgreSQL's program said."""


@dataclass(frozen=True)
class Client:
    """How to start one of PostgreSQL's programs on the warehouse, the password kept out of the process list."""

    command: list[str]
    environment: dict[str, str]


def client(settings: Settings, program: str) -> Client:
    """Return command and environment that start ``psql``, ``pg_dump`` or another client on the warehouse.

    Raises
    ------
    StackError
        If neither the wheel nor PATH has the program.
    """
    url = warehouse_url(settings)
    plain = libpq_url(url._replace(password=None))  # set() takes None for "as it was"
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    return Client([_program(program), "--dbname", plain], os.environ | password)


def backup(settings: Settings, file: Path) -> int:
    """Write the whole warehouse to one file in pg_dump's custom format, and the keys of voices to one beside it.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    BackupError
        If pg_dump fails; nothing is left at ``file`` then.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}.part")
    here = client(settings, "pg_dump")
    schemas = [f"--schema={schema}" for schema in SCHEMAS]
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as output:
            _run(
                [*here.command, "--format=custom", "--no-owner", LEFT_OUT, *schemas],
                here.environment,
                stdout=output.fileno(),
            )
            os.fsync(output.fileno())
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    write_keys(settings, connect(settings), file)
    return file.stat().st_size


def restore(settings: Settings, file: Path, replace: bool = False) -> None:
    """Fill the warehouse from a backup, bring its schema up to date, and erase again who was erased since.

    Parameters
    ----------
    settings : Settings
        Where the warehouse is.
    file : pathlib.Path
        What `backup` wrote.
    replace : bool
        Drop what is there; otherwise a warehouse that holds anything is refused.

    Raises
    ------
    BackupError
        If the warehouse is not empty, or the file cannot be restored; the warehouse is as it was before.
    """
    engine = connect(settings)
    if not replace and _has_rows(engine):
        raise BackupError("this warehouse holds data already; --replace drops it for what the backup holds")
    with engine.begin() as connection:
        cursor = connection.connection.driver_connection
        assert cursor is not None
        cursor.execute(sql("roles/1_roles"))  # roles belong to the server and are in no backup
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "restore.sql"
        _run([_program("pg_restore"), "--no-owner", f"--file={script}", str(file)], dict(os.environ))
        _make_portable(script)
        here = client(settings, "psql")
        options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        drop = f"--file={sql_dir() / 'ledger' / 'drop_schemas.sql'}"
        _run([*here.command, *options, "--output=/dev/null", drop, f"--file={script}"], here.environment)
    migrate(engine)
    read_keys(engine, file)
    erase_again(settings)


def _make_portable(script: Path) -> None:
    """Leave out the one setting in the head of a new pg_dump's script that servers before 17 do not know."""
    newer = b"SET transaction_timeout"
    with script.open("r+b") as opened:  # in place: the script may be as large as the warehouse
        at = opened.read(HEAD_BYTES).find(newer)
        if at >= 0:
            opened.seek(at)
            opened.write(b"---")


def _has_rows(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        if connection.execute(sa.text(sql("ledger/find_schema"))).scalar_one() is None:
            return False
        return bool(connection.execute(sa.text(sql("ledger/find_any_row"))).scalar_one())


def _program(name: str) -> str:
    try:
        return str(binaries() / name)
    except StackError:
        found = shutil.which(name)
        if found is None:
            raise
        return found


def _run(command: list[str], environment: dict[str, str], stdout: int = subprocess.DEVNULL) -> None:
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, check=False
    )
    if done.returncode == 0:
        return
    said = done.stderr.decode(errors="replace").strip()
    if "connection to server" in said:
        raise WarehouseUnavailable("the warehouse", "AFFECT_WAREHOUSE_URL", said.splitlines()[-1])
    raise BackupError(f"{Path(command[0]).name} failed: {said}")
