"""The embedded server starts anywhere, serves many processes, and stops when the last one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from affect_pipeline.errors import StackError, WarehouseUnavailable
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.embedded import DATABASES, embedded_server, is_running, release, stop
from affect_pipeline.warehouse.engine import connect, disconnect

USER = """
import sys
from pathlib import Path
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.embedded import embedded_server
server = embedded_server(Settings(home=Path(sys.argv[1])))
print(server.url(driver=""), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with a long path and spaces in it, under a folder that is closed to other users.

    Each test ends with the server stopped.
    """
    with tempfile.TemporaryDirectory(prefix="affect tests ") as folder:
        Path(folder).chmod(0o700)
        home = Path(folder) / "a folder with a long name, such as people make" / ("x" * 60)
        yield home
        stop(Settings(home=home))


def start_user(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def leave(user: subprocess.Popen[str]) -> None:
    user.communicate("", timeout=60)
    assert user.returncode == 0


def test_the_last_of_many_processes_stops_it(home: Path) -> None:
    settings = Settings(home=home)
    users = [start_user(home) for _ in range(3)]
    urls = {user.stdout.readline().strip() for user in users if user.stdout is not None}
    assert len(urls) == 1
    leave(users[0])
    with psycopg.connect(urls.pop()) as connection:
        found = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    assert set(DATABASES) <= found
    users[1].send_signal(signal.SIGKILL)
    users[1].communicate()
    assert is_running(settings)
    leave(users[2])
    assert not is_running(settings)


def test_it_recovers_from_a_crash_and_nobody_else_can_reach_it(home: Path) -> None:
    settings = Settings(home=home)
    server = embedded_server(settings)
    with connect(settings).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE public.kept (x integer)")
    assert server.socket_dir.stat().st_mode & 0o077 == 0
    with connect(settings).connect() as connection:
        assert connection.exec_driver_sql("SHOW listen_addresses").scalar_one() == ""
    disconnect(settings)
    os.kill(int((server.data_dir / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    with connect(settings).connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM public.kept").scalar_one() == 0
    disconnect(settings)
    assert release(settings)
    assert not is_running(settings)


def test_a_home_that_cannot_be_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StackError, match="AFFECT_HOME"):
        embedded_server(Settings(home=file / "home"))
    with pytest.raises(WarehouseUnavailable, match="AFFECT_HOME"):
        connect(Settings(home=file / "home"))


@pytest.mark.parametrize(
    "url", ["postgresql://nobody:hushhush@127.0.0.1:1/affect", "postgresql:///affect?host=/nowhere"]
)
def test_an_unreachable_warehouse_names_the_setting_and_no_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(WarehouseUnavailable, match="AFFECT_WAREHOUSE_URL") as refused:
        connect(Settings(home=tmp_path, warehouse_url=url))
    assert "hushhush" not in str(refused.value)
