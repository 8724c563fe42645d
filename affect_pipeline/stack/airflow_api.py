"""The few calls to Airflow's REST API that the local stack and the demo make."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import httpx

from affect_pipeline.errors import StackError

FINISHED = frozenset({"success", "failed"})
"""States in which a DAG run stays."""


@dataclass(frozen=True)
class TaskState:
    """How far one task of a run is; a mapped task has several instances.

    Parameters
    ----------
    task_id : str
        Name of the task.
    states : dict of str to int
        Number of its instances in each state (``success``, ``running``, ``scheduled``, ...).
    """

    task_id: str
    states: dict[str, int]

    @property
    def n_total(self) -> int:
        """Number of instances known so far."""
        return sum(self.states.values())

    @property
    def n_done(self) -> int:
        """Number of instances that will not run any more."""
        ended = ("success", "failed", "skipped", "upstream_failed", "removed")
        return sum(self.states.get(state, 0) for state in ended)


class AirflowApi:
    """A client of one Airflow API server, logged in as the user of the local stack.

    Parameters
    ----------
    address : str
        For instance ``http://127.0.0.1:8080``.
    username, password : str
        Of the SimpleAuthManager.
    """

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self._login = {"username": username, "password": password}
        # trust_env off: a proxy of the machine must not be asked about the loopback interface.
        self._http = httpx.Client(base_url=address, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> dict[str, str | None]:
        """Return the state of each component; empty while the API server does not answer yet."""
        try:
            reply = self._http.get("/api/v2/monitor/health", timeout=5.0)
        except httpx.TransportError:
            return {}
        if reply.status_code != httpx.codes.OK:
            return {}
        return {name: part["status"] for name, part in reply.json().items()}

    def is_healthy(self) -> bool:
        """Tell whether every component that a run needs reports that it is well."""
        health = self.health()
        return all(
            health.get(part) == "healthy" for part in ("metadatabase", "scheduler", "dag_processor", "triggerer")
        )

    def ensure_pool(self, name: str, slots: int, description: str) -> bool:
        """Make a pool if there is none of that name; one that is there keeps its size.

        Returns
        -------
        bool
            Whether it was made.
        """
        if self._call("GET", f"/pools/{name}", allowed=(httpx.codes.NOT_FOUND,)) is not None:
            return False
        self._call(
            "POST",
            "/pools",
            json={"name": name, "slots": slots, "description": description, "include_deferred": True},
        )
        return True

    def known_dags(self) -> set[str]:
        """Return the names of the DAGs that Airflow has parsed."""
        reply = self._call("GET", "/dags", params={"limit": 100})
        return {dag["dag_id"] for dag in reply["dags"]} if reply else set()

    def import_errors(self) -> list[str]:
        """Return what went wrong with DAG files, one text a file."""
        reply = self._call("GET", "/importErrors") or {"import_errors": []}
        return [f"{error['filename']}: {error['stack_trace']}" for error in reply["import_errors"]]

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG, or let it run."""
        self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run that has no logical date, with parameters; return its run id."""
        return self._start(dag_id, {"logical_date": None, "conf": conf})

    def trigger_night(self, dag_id: str, night: date) -> str:
        """Start a run of one night, as the schedule would: the logical date is the night."""
        start = datetime.combine(night, time(), UTC)
        interval = {"data_interval_start": start, "data_interval_end": start + timedelta(days=1)}
        body = {"logical_date": start, **interval}
        return self._start(dag_id, {name: moment.isoformat() for name, moment in body.items()})

    def backfill(self, dag_id: str, first: date, last: date) -> list[str]:
        """Start Airflow's own backfill over a range of nights; return the run ids, in order of their nights."""
        days = {"from_date": first, "to_date": last}
        body = {name: datetime.combine(day, time(), UTC).isoformat() for name, day in days.items()}
        self._call("POST", "/backfills", json={"dag_id": dag_id, **body})
        runs = self._get(f"/dags/{dag_id}/dagRuns", run_type="backfill", order_by="logical_date", limit=1000)[
            "dag_runs"
        ]
        return [run["dag_run_id"] for run in runs if f"{first}" <= run["logical_date"][:10] <= f"{last}"]

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: ``queued``, ``running``, ``success`` or ``failed``."""
        return str(self._get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def run_seconds(self, dag_id: str, run_id: str) -> float:
        """Return how long a finished run took, from its start to its end."""
        run = self._get(f"/dags/{dag_id}/dagRuns/{run_id}")
        return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Have a finished run done once more, every task of it."""
        self._call("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", json={"dry_run": False})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, as Airflow describes them."""
        return list(self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=1000)["task_instances"])

    def task_states(self, dag_id: str, run_id: str) -> dict[str, TaskState]:
        """Return how far each task of a run is."""
        counts: dict[str, Counter[str]] = {}
        for instance in self.task_instances(dag_id, run_id):
            counts.setdefault(instance["task_id"], Counter())[instance["state"] or "none"] += 1
        return {task_id: TaskState(task_id, dict(states)) for task_id, states in counts.items()}

    def failed_tasks(self, dag_id: str, run_id: str) -> list[str]:
        """Return the names of the tasks of a run that failed by themselves."""
        states = self.task_states(dag_id, run_id)
        return sorted(task_id for task_id, state in states.items() if state.states.get("failed"))

    def _start(self, dag_id: str, body: dict[str, Any]) -> str:
        reply = self._call("POST", f"/dags/{dag_id}/dagRuns", json=body)
        if reply is None:
            raise StackError(f"Airflow did not start a run of {dag_id}")
        return str(reply["dag_run_id"])

    def _get(self, path: str, **params: str | int) -> dict[str, Any]:
        return self._call("GET", path, params=params) or {}

    def _call(
        self, method: str, path: str, *, allowed: tuple[int, ...] = (), **arguments: Any
    ) -> dict[str, Any] | None:
        reply = self._http.request(method, f"/api/v2{path}", headers=self._token(), **arguments)
        if reply.status_code == httpx.codes.UNAUTHORIZED:
            self._http.headers.pop("Authorization", None)
            reply = self._http.request(method, f"/api/v2{path}", headers=self._token(), **arguments)
        if reply.status_code in allowed:
            return None
        if reply.is_error:
            raise StackError(f"Airflow refused {method} {path} ({reply.status_code}): {reply.text[:500]}")
        return dict(reply.json()) if reply.content else {}

    def _token(self) -> dict[str, str]:
        if "Authorization" not in self._http.headers:
            reply = self._http.post("/auth/token", json=self._login)
            if reply.is_error:
                raise StackError(f"Airflow did not let {self._login['username']} in: {reply.text[:500]}")
            self._http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        return {}
