"""The services of ``docker/compose.yaml`` as processes of this machine: CeleryExecutor, Redis, several workers.

What runs are the commands of the compose file itself. Only what one machine has instead of several is put in their
place: addresses and ports, a name for each worker, and the embedded PostgreSQL for a server of its own.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from affect_pipeline.errors import StackError
from affect_pipeline.settings import Settings
from affect_pipeline.stack.compose import Service, read_services
from affect_pipeline.stack.environment import child_environment
from affect_pipeline.stack.local import (
    COMPONENTS,
    LocalStack,
    Say,
    client_of,
    databases_of,
    let_go_of_databases,
    only_one,
    wait_until_ready,
)
from affect_pipeline.stack.ports import HOST, Ports, free_port
from affect_pipeline.stack.processes import Processes

_PACE_OF_LOCAL_STACK = frozenset(
    {
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
    }
)
"""How often things are looked at is for the compose file to say, or for Airflow where it does not."""

CPU_WORKER, GPU_WORKER = "worker-cpu", "worker-gpu"
HEALTH_EVERY_S = 1.0


@contextmanager
def native_cluster(
    settings: Settings,
    compose: Path,
    say: Say = lambda _: None,
    *,
    ports: Ports | None = None,
    n_cpu_workers: int = 2,
    n_gpu_workers: int = 1,
    options: Mapping[str, str] | None = None,
    with_mlflow: bool = True,
    timeout_s: float = 240.0,
) -> Iterator[LocalStack]:
    """Start the services of a compose file on this machine; on leaving, nothing of them is left running.

    Parameters
    ----------
    settings : Settings
        The installation. ``home`` holds all of its state.
    compose : Path
        The compose file; it lies in a folder of the checkout.
    say : callable
        Called with a line whenever the start gets further.
    ports : Ports, optional
        Ports to try first; those that are taken, or 0, are replaced by free ones.
    n_cpu_workers, n_gpu_workers : int
        Celery workers of the queues ``cpu`` and ``gpu``, one task at a time each.
    options : Mapping[str, str], optional
        Environment variables that go before those of the compose file.
    with_mlflow : bool
        Whether to run the registry as a service, too; else it is read from its database.
    timeout_s : float
        How long Airflow may take to become healthy.

    Raises
    ------
    StackError
        If a stack runs in this home already, Redis is not installed, or a part does not start.
    """
    services = read_services(compose, _variables(secrets.token_urlsafe(24)))
    with ExitStack() as stack:
        chosen, redis_port = Ports.choose(ports, stack), free_port(stack)
        stack.enter_context(only_one(settings, chosen))
        say("starting PostgreSQL and Redis")
        databases = databases_of(settings)
        mlflow_uri = f"http://{HOST}:{chosen.mlflow}" if with_mlflow else databases.mlflow
        ready = settings.model_copy(update={"warehouse_url": databases.warehouse, "mlflow_uri": mlflow_uri})
        stack.callback(let_go_of_databases, ready)
        local = child_environment(ready, replace(databases, mlflow=mlflow_uri), chosen, on_schedule=False)
        environment = _environment(services, local, redis_port) | dict(options or {})
        processes = Processes(environment, settings.home / "logs")
        stack.callback(processes.stop)
        processes.start("redis", _redis(services["redis"], redis_port))
        if with_mlflow:
            say("starting the model registry")
            processes.start("mlflow", _mlflow(services["mlflow"], databases.mlflow, settings, chosen))
            await_health(services["mlflow"], environment | {"MLFLOW_PORT": f"{chosen.mlflow}"}, timeout_s)
        say("preparing the databases")
        processes.begin("init", _in_checkout(services["init"], compose))
        processes.finish("init")
        for component in COMPONENTS:
            processes.start(component, services[component].command)
        for name, command in _workers(services, n_cpu_workers, n_gpu_workers).items():
            processes.start(name, command)
        say("waiting for Airflow to become healthy")
        api = client_of(settings, chosen)
        stack.callback(api.close)
        wait_until_ready(api, processes, timeout_s)
        yield LocalStack(ready, api, chosen, environment, processes, with_mlflow)


def await_health(service: Service, environment: Mapping[str, str], timeout_s: float) -> None:
    """Run the health check of a service until it succeeds.

    Raises
    ------
    StackError
        If it does not within `timeout_s`; the message holds what the check printed last.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        done = subprocess.run(service.health, env=dict(environment), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise StackError(f"{' '.join(service.health)} fails: {(done.stdout + done.stderr).strip()[-500:]}")
        time.sleep(HEALTH_EVERY_S)


def health_environment(stack: LocalStack, name: str) -> dict[str, str]:
    """Return the environment of the health check of a service, as the service itself sees it."""
    return stack.environment | {"HOSTNAME": name, "MLFLOW_PORT": f"{stack.ports.mlflow}"}


def _variables(password: str) -> dict[str, str]:
    # Secrets of the local stack go before those of the compose file, which must be given nevertheless.
    wanted = ("DB_PASSWORD", "API_SECRET", "JWT_SECRET", "FERNET_KEY", "PSEUDONYM_SECRET")
    return {f"AFFECT_{name}": "of-the-local-stack" for name in wanted} | {
        "AFFECT_REDIS_PASSWORD": password,
        "AFFECT_CPU_TASKS": "1",
    }


def _environment(services: Mapping[str, Service], local: Mapping[str, str], redis_port: int) -> dict[str, str]:
    theirs = {
        name: str(value).replace("@redis:6379", f"@{HOST}:{redis_port}")
        for name, value in services["scheduler"].environment.items()
    }
    executor = {"AIRFLOW__CORE__EXECUTOR": theirs["AIRFLOW__CORE__EXECUTOR"], "AIRFLOW__CORE__PARALLELISM": "32"}
    redis = {"REDISCLI_AUTH": str(services["redis"].environment["REDISCLI_AUTH"])}
    here = {name: value for name, value in local.items() if name not in _PACE_OF_LOCAL_STACK}
    return theirs | here | executor | redis


def _redis(service: Service, port: int) -> list[str]:
    if shutil.which(service.command[0]) is None:
        raise StackError("redis-server is not installed: apt-get install redis-server")
    return [*service.command, "--port", f"{port}", "--bind", HOST]


def _mlflow(service: Service, database: str, settings: Settings, ports: Ports) -> list[str]:
    there = {
        "MLFLOW_ARTIFACTS_DESTINATION": str(settings.home / "mlflow-artifacts"),
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_HOST": HOST,
        "MLFLOW_PORT": f"{ports.mlflow}",
        "MLFLOW_WORKERS": str(service.environment["MLFLOW_WORKERS"]),
    }
    return _with_variables(there, service.command)


def _in_checkout(service: Service, compose: Path) -> list[str]:
    """Return a command whose script lies in the checkout, which is the working folder of the image."""
    root = compose.resolve().parent.parent
    return [str(root / word) if (root / word).is_file() else word for word in service.command]


def _workers(services: Mapping[str, Service], n_cpu: int, n_gpu: int) -> dict[str, list[str]]:
    names = [(CPU_WORKER, f"{CPU_WORKER}-{number}") for number in range(1, n_cpu + 1)]
    names += [(GPU_WORKER, f"{GPU_WORKER}-{number}") for number in range(1, n_gpu + 1)]
    return {name: worker_command(services[service], name) for service, name in names}


def worker_command(service: Service, name: str) -> list[str]:
    """Return the command of a worker that has a name of its own: here, all of them share one host."""
    apart = ("--celery-hostname", f"celery@{name}", "--skip-serve-logs")
    return _with_variables({"HOSTNAME": name}, (*service.command, *apart))


def _with_variables(variables: Mapping[str, str], command: tuple[str, ...]) -> list[str]:
    return ["env", *(f"{name}={value}" for name, value in variables.items()), *command]
