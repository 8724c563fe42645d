"""Child processes never outlive their parent, whatever they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from affect_pipeline.errors import StackError
from affect_pipeline.stack.processes import Processes, session_members

DEAF_FAMILY = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        os.setpgid(0, 0)  # a process group of its own, as Airflow's task runners have
        break
print(os.getpid(), flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(dict(os.environ), tmp_path / "logs")
    yield started
    started.stop(grace_s=0)


def run(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def logged_pids(processes: Processes, name: str, n_lines: int) -> list[int]:
    """Wait for a child to have written so many numbers to its log, and return them."""
    while len(lines := processes.log_file(name).read_text().split()) < n_lines:
        processes.check()
        os.sched_yield()
    return [int(line) for line in lines]


def test_stopping_ends_deaf_processes_and_their_forks_in_other_process_groups(processes: Processes) -> None:
    processes.start("family", run(DEAF_FAMILY))
    pids = logged_pids(processes, "family", n_lines=3)
    assert all(psutil.pid_exists(pid) for pid in pids)

    processes.stop(grace_s=0.2)

    alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert alive == []


def test_a_process_that_ends_by_itself_is_reported_with_what_it_said_last(processes: Processes) -> None:
    processes.start("short", run("print('no such table'); raise SystemExit(3)"))
    processes._running["short"].wait()

    with pytest.raises(StackError, match=r"short ended with status 3(.|\n)*no such table"):
        processes.check()


def test_a_command_that_succeeds_is_finished_and_no_longer_watched(processes: Processes) -> None:
    processes.begin("command", run("print('done')"))

    processes.finish("command")

    processes.check()
    assert processes.log_file("command").read_text() == "done\n"


def test_a_command_that_fails_names_its_log(processes: Processes) -> None:
    processes.begin("command", run("raise SystemExit('out of luck')"))

    with pytest.raises(StackError, match=r"command failed with status 1; see .*command\.log\nout of luck"):
        processes.finish("command")


def test_a_command_that_hangs_is_given_up_on(processes: Processes) -> None:
    processes.begin("command", run("import signal; signal.pause()"))

    with pytest.raises(StackError, match="did not finish in 0 s"):
        processes.finish("command", timeout_s=0.1)


PARENT = """
import os, sys, signal
from pathlib import Path
from affect_pipeline.stack.processes import Processes
children = Processes(dict(os.environ), Path(sys.argv[1]))
children.start("child", [sys.executable, "-c", "import os, signal; print(os.getpid(), flush=True); signal.pause()"])
while not children.log_file("child").read_text():
    os.sched_yield()
print(children.log_file("child").read_text(), flush=True)
signal.pause()
"""


def test_a_parent_killed_outright_takes_its_children_along(tmp_path: Path) -> None:
    parent = subprocess.Popen([*run(PARENT), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    assert psutil.wait_procs([child], timeout=10)[1] == []
    assert session_members([child.pid]) == []
