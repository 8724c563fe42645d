"""Root lends the server to a user without opening anybody's folders."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from affect_pipeline.warehouse.server_user import SYSTEM_USER, ServerUser, keep_owner, server_user

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that only root can enter."""
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "inner"
        inner.mkdir(mode=0o700)
        yield inner


def can_enter(folder: Path, user: int) -> bool:
    command = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    done = subprocess.run(command, user=user, group=user, extra_groups=[], capture_output=True, check=False, cwd="/")
    return done.returncode == 0


def can_list(folder: Path, user: int) -> bool:
    done = subprocess.run(["/bin/ls", str(folder)], user=user, capture_output=True, check=False, cwd="/")
    return done.returncode == 0


def test_one_user_is_let_through_and_nobody_else(closed: Path) -> None:
    assert not can_enter(closed, NOBODY)
    ServerUser(NOBODY, NOBODY).may_enter(closed)
    assert can_enter(closed, NOBODY)
    assert not can_list(closed, NOBODY)
    assert not can_enter(closed, 1)


def test_a_second_user_does_not_push_out_the_first(closed: Path) -> None:
    for user in (NOBODY, 1, NOBODY):
        ServerUser(user, user).may_enter(closed)
    assert can_enter(closed, NOBODY)
    assert can_enter(closed, 1)


def test_the_server_runs_as_the_owner_of_the_home_but_never_as_root(closed: Path) -> None:
    assert server_user(closed / "postgres").uid not in (0, None)
    os.chown(closed, NOBODY, NOBODY)
    assert server_user(closed / "postgres") == ServerUser(NOBODY, NOBODY)
    assert SYSTEM_USER != "root"


def test_files_that_root_makes_in_a_home_belong_to_its_owner(closed: Path) -> None:
    os.chown(closed, NOBODY, NOBODY)
    file = closed / "lock"
    file.touch()
    keep_owner(file)
    assert file.stat().st_uid == NOBODY
