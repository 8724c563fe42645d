"""The environment in which Airflow and its tasks run on the local stack."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from affect_pipeline.settings import Settings
from affect_pipeline.stack.assets import assets_folder
from affect_pipeline.stack.ports import HOST, Ports

GPU_POOL = "gpu"
"""Airflow pool that limits how many tasks use the accelerator at once."""

ADMIN = "admin"
"""The one user of the local stack."""

QUIET = {
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "DO_NOT_TRACK": "1",
    "SCARF_ANALYTICS": "false",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Telemetry of the tools we stand on stays off: nothing about a clinic leaves the machine."""

_FOREIGN_PREFIXES = ("AIRFLOW_", "_AIRFLOW_", "OPENLINEAGE_", "MLFLOW_", "AFFECT_")
"""Settings of another installation that must not leak into this one."""


@dataclass(frozen=True)
class Databases:
    """URLs of the three databases, as SQLAlchemy writes them.

    Parameters
    ----------
    warehouse, airflow, mlflow : str
        For instance ``postgresql+psycopg://postgres@/affect?host=/path``.
    """

    warehouse: str
    airflow: str
    mlflow: str


def airflow_home(settings: Settings) -> Path:
    """Return the folder of Airflow's own state and logs."""
    return settings.home / "airflow"


def lineage_file(settings: Settings) -> Path:
    """Return the file that OpenLineage events of the local stack are written to, one JSON a line."""
    return settings.home / "lineage" / "events.jsonl"


def child_environment(
    settings: Settings,
    databases: Databases,
    ports: Ports,
    inherited: Mapping[str, str] | None = None,
    *,
    on_schedule: bool = True,
) -> dict[str, str]:
    """Return the environment of the processes of the local stack.

    Parameters
    ----------
    settings : Settings
        The installation; its fields are passed on as ``AFFECT_...``.
    databases : Databases
        Databases of this installation.
    ports : Ports
        Ports of this stack.
    inherited : Mapping[str, str], optional
        Where to start from. Defaults to the environment of this process. Settings of another
        Airflow or MLflow in it are left out.
    on_schedule : bool
        Whether DAGs run on their schedule, or only when asked to.

    Returns
    -------
    dict of str to str
        It holds credentials: never print it.
    """
    start = os.environ if inherited is None else inherited
    environment = {name: value for name, value in start.items() if not name.startswith(_FOREIGN_PREFIXES)}
    scripts = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([scripts, start.get("PATH", os.defpath)])
    environment |= _ours(settings, databases)
    environment |= _airflow(settings, databases, ports)
    environment["AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE"] = str(on_schedule)
    return environment


def tasks_at_once() -> int:
    """Return how many tasks the local stack runs at a time."""
    return max(2, len(os.sched_getaffinity(0)))


def scoring_slots() -> int:
    """Return how many tasks may hold the model: one an accelerator; where there is none, the executor is the limit.

    It takes `tasks_at_once`; more slots than that let it have the next task at hand when one ends.
    """
    return sum(1 for _ in Path("/proc/driver/nvidia/gpus").glob("*")) or 4 * tasks_at_once()


def admin_password(settings: Settings) -> str:
    """Return the password of the user ``admin``, made on first use; kept in a file of mode 600."""
    path = _passwords_file(settings)
    if not path.exists():
        _write_private(path, json.dumps({ADMIN: secrets.token_urlsafe(12)}))
    return str(json.loads(path.read_text())[ADMIN])


def _ours(settings: Settings, databases: Databases) -> dict[str, str]:
    if settings.pseudonym_secret is None:
        settings.pseudonym_key()  # made once, here, and not by two tasks at a time
    local = {"warehouse_url": databases.warehouse, "mlflow_uri": databases.mlflow, "landing_url": settings.landing}
    local |= {"tasks_at_once": str(tasks_at_once())}
    values = {name: getattr(settings, name) for name in type(settings).model_fields} | local
    return {f"AFFECT_{name.upper()}": _text(value) for name, value in values.items() if value is not None} | QUIET


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _airflow(settings: Settings, databases: Databases, ports: Ports) -> dict[str, str]:
    home = airflow_home(settings)
    admin_password(settings)
    address = f"http://{HOST}:{ports.api}"
    lineage_file(settings).parent.mkdir(parents=True, exist_ok=True)
    options = {
        "CORE__DAGS_FOLDER": assets_folder("dags"),
        "CORE__PLUGINS_FOLDER": assets_folder("plugins"),
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": tasks_at_once(),
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": _passwords_file(settings),
        "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "CORE__FERNET_KEY": _secret(home / "fernet.key", "="),
        "API__HOST": HOST,
        "API__PORT": ports.api,
        "API__BASE_URL": address,
        "API__WORKERS": 1,
        "API__SECRET_KEY": _secret(home / "api.key"),
        "API_AUTH__JWT_SECRET": _secret(home / "jwt.key"),
        "DATABASE__SQL_ALCHEMY_CONN": databases.airflow,
        "LOGGING__NAMESPACE_LEVELS": "great_expectations=WARNING mlflow=WARNING alembic=WARNING",
        "LOGGING__WORKER_LOG_SERVER_PORT": ports.worker_logs,
        "LOGGING__TRIGGER_LOG_SERVER_PORT": ports.trigger_logs,
        "WORKERS__EXECUTION_API_TIMEOUT": 60,
        # A task whose process ends just after its last message keeps its place until the next heartbeat.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.25,
        "USAGE_DATA_COLLECTION__ENABLED": False,
        "OPENLINEAGE__NAMESPACE": "affect-pipeline",
        "OPENLINEAGE__EXECUTE_IN_THREAD": True,  # a fork of a process that holds torch takes longer than its work
        "OPENLINEAGE__EMISSION_POLICY": json.dumps([{"scope": {}, "controls": {"include_source_code": False}}]),
        "OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(lineage_file(settings)), "append": True}
        ),
    }
    return {"AIRFLOW_HOME": str(home)} | {f"AIRFLOW__{name}": str(value) for name, value in options.items()}


def _passwords_file(settings: Settings) -> Path:
    return airflow_home(settings) / "passwords.json"


def _secret(path: Path, padding: str = "") -> str:
    """Return the secret of 32 bytes kept in a file, made on first use (URL-safe base 64)."""
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(32) + padding)
    return path.read_text()


def _write_private(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(content)
