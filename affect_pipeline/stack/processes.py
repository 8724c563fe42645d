"""Child processes that never outlive their parent.

Every child leads a session of its own. Whatever it starts, however often that forks or changes its
process group, stays in the session, so that stopping the child can find and end all of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from affect_pipeline.errors import StackError

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal a process gets when its parent dies."""

_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass
class Processes:
    """The child processes of one local stack.

    Parameters
    ----------
    environment : Mapping[str, str]
        The whole environment of every child.
    logs : Path
        Folder of their logs, one file a process.
    """

    environment: Mapping[str, str]
    logs: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _commands: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process that runs until `stop`; its output goes to ``<logs>/<name>.log``."""
        self._running[name] = self._spawn(name, command)

    def begin(self, name: str, command: Sequence[str]) -> None:
        """Start a command that ends by itself; `finish` waits for it."""
        self._commands[name] = self._spawn(name, command)

    def finish(self, name: str, timeout_s: float = 300.0) -> None:
        """Wait for a command that was begun.

        Raises
        ------
        StackError
            If it fails or takes longer than `timeout_s`; the message names its log.
        """
        try:
            status = self._commands[name].wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise StackError(f"{name} did not finish in {timeout_s:.0f} s; see {self.log_file(name)}") from None
        del self._commands[name]
        if status:
            raise StackError(f"{name} failed with status {status}; see {self.log_file(name)}\n{self._tail(name)}")

    def running(self) -> dict[str, int]:
        """Return the ids of the processes that were started and not stopped, by name; each leads a session."""
        return {name: process.pid for name, process in self._running.items()}

    def kill(self, name: str) -> None:
        """End a process and all that came of it outright (SIGKILL), and forget it: as if its machine had failed."""
        process = self._running.pop(name)
        kill_sessions([process.pid])
        process.wait()

    def check(self) -> None:
        """Raise `StackError` if a process that should be running has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise StackError(
                    f"{name} ended with status {process.returncode}; see {self.log_file(name)}\n{self._tail(name)}"
                )

    def log_file(self, name: str) -> Path:
        """Return the log of one process."""
        return self.logs / f"{name}.log"

    def stop(self, grace_s: float = 15.0) -> None:
        """End every process and all that came of it: first asked, then, after `grace_s`, killed."""
        processes = [*self._running.values(), *self._commands.values()]
        for process in processes:
            with suppress(ProcessLookupError):
                process.terminate()
        deadline = time.monotonic() + grace_s
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        kill_sessions([process.pid for process in processes])
        for process in processes:
            process.wait()
        self._running.clear()
        self._commands.clear()

    def _spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log_file(name).open("ab") as log:
            return subprocess.Popen(
                list(command),
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call into libc, no lock is taken
            )

    def _tail(self, name: str, n_lines: int = 8) -> str:
        return "\n".join(self.log_file(name).read_text(errors="replace").splitlines()[-n_lines:])


def session_members(leaders: Sequence[int]) -> list[psutil.Process]:
    """Return the live processes whose session is led (or was led) by one of `leaders`."""
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(process.pid) in leaders and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def kill_sessions(leaders: Sequence[int], timeout_s: float = 10.0) -> None:
    """Kill every process of the sessions, again until none is left.

    Raises
    ------
    StackError
        If one survives for `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while members := session_members(leaders):
        if time.monotonic() > deadline:
            raise StackError(f"processes {[member.pid for member in members]} cannot be ended")
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(members, timeout=1.0)


def _die_with_parent() -> None:
    # Should the parent be killed outright, nothing of ours may stay behind and hold the ports.
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
