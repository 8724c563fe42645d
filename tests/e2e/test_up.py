"""`affect up` in the foreground: beside another stack, and leaving nothing running when it is asked to end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from affect_pipeline.settings import Settings
from affect_pipeline.stack.local import stack_is_running
from affect_pipeline.stack.ports import HOST, is_free
from affect_pipeline.warehouse.embedded import is_running
from tests.model.registries import copy_registry

pytestmark = [pytest.mark.slow, pytest.mark.stack]

UP_WITHIN_S = 240


@pytest.fixture
def settings(registry_template: Path, tmp_path: Path) -> Settings:
    return copy_registry(registry_template, Settings(home=tmp_path / "another home"))


@pytest.fixture
def up(settings: Settings, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    environment = dict(os.environ, AFFECT_HOME=str(settings.home), AFFECT_MLFLOW_URI=settings.mlflow_uri, COLUMNS="200")
    command = [sys.executable, "-m", "affect_pipeline.cli", "up", "--no-mlflow"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield process
    process.kill()
    process.communicate()


def printed_until(process: subprocess.Popen[str], wanted: str) -> str:
    """Return what a process prints up to the line that holds a text."""
    assert process.stdout is not None
    lines = []
    deadline = time.monotonic() + UP_WITHIN_S
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return "".join(lines)
        assert time.monotonic() < deadline, lines
    raise AssertionError("it ended and said:\n" + "".join(lines))


def test_a_stack_tells_how_to_log_in_and_ctrl_c_leaves_nothing_of_it_running(
    up: subprocess.Popen[str], settings: Settings
) -> None:
    said = printed_until(up, "Ctrl-C stops all of it")
    port = int(re.search(r"http://localhost:(\d+)", said)[1])  # type: ignore[index]
    family = psutil.Process(up.pid).children(recursive=True)
    assert re.search(r"user admin, password \S+", said)
    assert not is_free(port)
    assert len(family) >= 4
    assert is_running(settings)

    up.send_signal(signal.SIGINT)
    rest, _ = up.communicate(timeout=60)

    assert "nothing is left running" in rest
    assert [process for process in family if process.is_running()] == []
    assert [process.pid for process in psutil.process_iter() if _belongs_to(process, settings)] == []
    assert is_free(port), f"{HOST}:{port} is still taken"
    assert not is_running(settings)
    assert not stack_is_running(settings)


def _belongs_to(process: psutil.Process, settings: Settings) -> bool:
    """Tell whether a process was started with the state folder in its command or environment."""
    try:
        return str(settings.home) in " ".join([*process.cmdline(), *process.environ().values()])
    except psutil.Error:
        return False
