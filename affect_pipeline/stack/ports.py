"""Ports of the local stack: the usual ones, or free ones where those are taken."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass

HOST = "127.0.0.1"
"""The local stack listens on the loopback interface only: it is for development."""

TRIES = 20


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
    def choose(cls, preferred: Ports | None = None, claims: ExitStack | None = None) -> Ports:
        """Return the preferred ports where they are free, and other free ones where not.

        Parameters
        ----------
        preferred : Ports, optional
            By default the usual ones.
        claims : ExitStack, optional
            Until it is closed, another stack that chooses passes these ports over, though nothing listens there yet.
        """
        wanted = preferred or cls()
        with ExitStack() as held:
            kept = claims or held
            # All are held at once, so that two of ours cannot end on the same port.
            return cls(
                api=_hold(wanted.api, held, kept),
                worker_logs=_hold(wanted.worker_logs, held, kept),
                trigger_logs=_hold(wanted.trigger_logs, held, kept),
                mlflow=_hold(wanted.mlflow, held, kept),
            )


def free_port(claims: ExitStack) -> int:
    """Return a free port that no stack chooses until `claims` is closed."""
    with ExitStack() as held:
        return _hold(0, held, claims)


def is_free(port: int) -> bool:
    """Tell whether a port can be listened on, on this machine."""
    with socket.socket() as probe:
        return _bind(probe, port)


def _hold(port: int, held: ExitStack, claims: ExitStack) -> int:
    for candidate in (port, *[0] * TRIES):
        probe = held.enter_context(socket.socket())
        if _bind(probe, candidate) and _claim(found := int(probe.getsockname()[1]), claims):
            return found
    raise OSError("this machine has no free TCP port left")


def _claim(port: int, claims: ExitStack) -> bool:
    """Take the UDP port of the same number, which no server of a stack wants, and which ends with its process."""
    claim = socket.socket(type=socket.SOCK_DGRAM)
    try:
        claim.bind((HOST, port))
    except OSError:
        claim.close()
        return False
    claims.enter_context(claim)
    return True


def _bind(probe: socket.socket, port: int) -> bool:
    # Servers of the stack set SO_REUSEADDR too: a port in TIME_WAIT counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError:
        return False
    return True
