"""Ports of the local stack: the usual ones, or free ones where those are taken."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass

HOST = "127.0.0.1"
"""The local stack listens on the loopback interface only: it is for development."""


@dataclass(frozen=True)
class Ports:
    """TCP ports of one local stack.

    Parameters
    ----------
    api : int
        Airflow's web page and API.
    worker_logs, trigger_logs : int
        Where Airflow's scheduler and triggerer serve the logs of running tasks.
    mlflow : int
        MLflow's web page.
    """

    api: int = 8080
    worker_logs: int = 8793
    trigger_logs: int = 8794
    mlflow: int = 5000

    @classmethod
    def choose(cls, preferred: Ports | None = None) -> Ports:
        """Return the preferred ports where they are free, and other free ones where not."""
        wanted = preferred or cls()
        with ExitStack() as held:
            # All are held at once, so that two of ours cannot end on the same port.
            return cls(
                api=_hold(wanted.api, held),
                worker_logs=_hold(wanted.worker_logs, held),
                trigger_logs=_hold(wanted.trigger_logs, held),
                mlflow=_hold(wanted.mlflow, held),
            )


def is_free(port: int) -> bool:
    """Tell whether a port can be listened on, on this machine."""
    with socket.socket() as probe:
        return _bind(probe, port)


def _hold(port: int, held: ExitStack) -> int:
    probe = held.enter_context(socket.socket())
    if not _bind(probe, port) and not _bind(probe := held.enter_context(socket.socket()), 0):
        raise OSError("this machine has no free TCP port left")
    return int(probe.getsockname()[1])


def _bind(probe: socket.socket, port: int) -> bool:
    # Servers of the stack set SO_REUSEADDR too: a port in TIME_WAIT counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError:
        return False
    return True
