"""The local stack: embedded PostgreSQL, Airflow and MLflow's web page, as one thing that starts and stops."""

from __future__ import annotations

import fcntl
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from affect_pipeline.errors import StackError
from affect_pipeline.settings import Settings
from affect_pipeline.stack.environment import (
    ADMIN,
    GPU_POOL,
    Databases,
    admin_password,
    child_environment,
    scoring_slots,
)
from affect_pipeline.stack.ports import HOST, Ports
from affect_pipeline.stack.processes import Processes

if TYPE_CHECKING:
    from affect_pipeline.stack.airflow_api import AirflowApi

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
"""The processes of Airflow."""

EXPECTED_DAGS = frozenset({"nightly_voice_monitoring", "history_backfill"})
"""DAGs that must have been parsed before the stack counts as ready."""

Say = Callable[[str], None]
"""Called with a line whenever the start gets further."""


@dataclass(frozen=True)
class LocalStack:
    """A running local stack.

    Parameters
    ----------
    settings : Settings
        Settings of the installation, with the URLs of its databases filled in.
    api : AirflowApi
        A client of its Airflow.
    ports : Ports
        Ports that it listens on.
    environment : dict of str to str
        The environment of its processes, for commands that are to see the same stack.
    processes : Processes
        Its processes.
    with_mlflow : bool
        Whether MLflow's web page is part of it.
    """

    settings: Settings
    api: AirflowApi
    ports: Ports
    environment: dict[str, str]
    processes: Processes
    with_mlflow: bool

    @property
    def airflow_address(self) -> str:
        """Address of Airflow's web page."""
        return f"http://localhost:{self.ports.api}"

    @property
    def mlflow_address(self) -> str:
        """Address of MLflow's web page."""
        return f"http://localhost:{self.ports.mlflow}"


@contextmanager
def local_stack(
    settings: Settings,
    say: Say = lambda _: None,
    *,
    ports: Ports | None = None,
    on_schedule: bool = True,
    with_mlflow: bool = True,
    timeout_s: float = 180.0,
) -> Iterator[LocalStack]:
    """Start the local stack and yield it when it is healthy; on leaving, nothing of it is left running.

    Parameters
    ----------
    settings : Settings
        The installation. ``home`` holds all of its state.
    say : callable
        Called with a line whenever the start gets further.
    ports : Ports, optional
        Ports to try first; those that are taken are replaced by free ones.
    on_schedule : bool
        Whether DAGs run on their schedule, or only when asked to.
    with_mlflow : bool
        Whether to serve MLflow's web page too.
    timeout_s : float
        How long Airflow may take to become healthy.

    Raises
    ------
    StackError
        If a stack is running in this home already, or a part of it does not start.
    """
    with ExitStack() as stack:
        chosen = Ports.choose(ports, stack)
        stack.enter_context(only_one(settings, chosen))
        say("starting PostgreSQL")
        databases = databases_of(settings)
        ready = settings.model_copy(update={"warehouse_url": databases.warehouse, "mlflow_uri": databases.mlflow})
        stack.callback(let_go_of_databases, ready)
        _migrate(ready)
        environment = child_environment(settings, databases, chosen, on_schedule=on_schedule)
        processes = Processes(environment, settings.home / "logs")
        stack.callback(processes.stop)
        say("preparing Airflow's database and the model registry")
        processes.begin("airflow-migrate", _airflow("db", "migrate"))
        processes.begin("first-setup", [sys.executable, "-m", "affect_pipeline.stack.first_setup"])
        processes.finish("airflow-migrate")
        for component in COMPONENTS:
            processes.start(component, _component(component))
        say("waiting for Airflow to become healthy")
        api = client_of(settings, chosen)
        stack.callback(api.close)
        processes.finish("first-setup")
        if with_mlflow:  # only now: two processes must not make MLflow's tables at once
            processes.start("mlflow", _mlflow(ready, chosen))
        wait_until_ready(api, processes, timeout_s)
        api.ensure_pool(GPU_POOL, slots=scoring_slots(), description="Tasks that hold the model, one per accelerator")
        yield LocalStack(ready, api, chosen, environment, processes, with_mlflow)


@contextmanager
def only_one(settings: Settings, ports: Ports) -> Iterator[None]:
    """Hold the lock of this home; the kernel drops it however we end."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = (settings.home / "stack.lock").open("a+")
    except OSError as error:
        raise StackError(f"{settings.home} cannot be used ({error.strerror}). Point AFFECT_HOME elsewhere.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                f"a stack is already running in {settings.home} ({_describe(lock.read())}). "
                "Stop it with Ctrl-C where it runs, or point AFFECT_HOME at another folder for a second one."
            ) from None
        lock.truncate(0)
        lock.write(json.dumps({"airflow": f"http://localhost:{ports.api}"}))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def stack_is_running(settings: Settings) -> bool:
    """Tell whether a stack of this home is running."""
    path = settings.home / "stack.lock"
    if not path.exists():
        return False
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _describe(content: str) -> str:
    try:
        return str(json.loads(content)["airflow"])
    except (ValueError, KeyError):  # its owner has not come round to writing it
        return "starting"


def databases_of(settings: Settings) -> Databases:
    """Return the three databases, starting the embedded server for those that are nowhere else."""
    from affect_pipeline.warehouse.embedded import embedded_server

    server = embedded_server(settings)
    return Databases(
        warehouse=settings.warehouse_url or server.url("affect"),
        airflow=server.url("airflow", driver="psycopg2"),
        mlflow=settings.mlflow_uri or server.url("mlflow"),
    )


def let_go_of_databases(settings: Settings) -> None:
    """Close connections, and stop the embedded server if nobody else uses it."""
    from affect_pipeline.warehouse.embedded import release
    from affect_pipeline.warehouse.engine import disconnect

    disconnect(settings)
    release(settings)


def _migrate(settings: Settings) -> None:
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    migrate(connect(settings))


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _component(name: str) -> list[str]:
    # The scheduler's executor forks a process for each task: what these import is imported once, before.
    return [sys.executable, "-m", "affect_pipeline.warm", name] if name == "scheduler" else _airflow(name)


def _mlflow(settings: Settings, ports: Ports) -> list[str]:
    options = {
        "--backend-store-uri": settings.mlflow_uri,
        "--artifacts-destination": str(settings.home / "mlflow-artifacts"),
        "--host": HOST,
        "--port": str(ports.mlflow),
        "--workers": "1",
    }
    return [sys.executable, "-m", "mlflow", "server", *(word for option in options.items() for word in option)]


def client_of(settings: Settings, ports: Ports) -> AirflowApi:
    """Return a client of the Airflow of this home."""
    from affect_pipeline.stack.airflow_api import AirflowApi

    return AirflowApi(f"http://{HOST}:{ports.api}", ADMIN, admin_password(settings))


def wait_until_ready(api: AirflowApi, processes: Processes, timeout_s: float) -> None:
    """Wait until Airflow is healthy and knows its DAGs; raises `StackError` if it does not get there."""
    deadline = time.monotonic() + timeout_s
    while not (api.is_healthy() and api.known_dags() >= EXPECTED_DAGS):
        processes.check()
        if api.is_healthy() and (errors := api.import_errors()):
            raise StackError("a DAG file cannot be imported:\n" + "\n".join(errors))
        if time.monotonic() > deadline:
            raise StackError(
                f"Airflow was not ready after {timeout_s:.0f} s: {_what_is_missing(api)}; see {processes.logs}"
            )
        time.sleep(0.25)


def _what_is_missing(api: AirflowApi) -> str:
    health = api.health()
    if not health:
        return "its API server does not answer"
    ill = [f"{part} is {state}" for part, state in health.items() if state != "healthy"]
    return "; ".join(ill) or "; ".join(api.import_errors()) or "its DAGs were not parsed"
