"""Image, compose files and chart values keep to rules that can be checked without a container engine."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from affect_pipeline.errors import StackError
from affect_pipeline.settings import Settings
from affect_pipeline.stack.compose import fill_in, read_services

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE = DOCKER / "compose.yaml"
TARGETS = ("cpu", "cuda")

SERVICE_KEYS = {
    "build", "command", "depends_on", "deploy", "environment", "healthcheck", "image", "init", "ports", "restart",
    "stop_grace_period", "user", "volumes",
}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period", "disable"}
OURS = ("mlflow", "init", "api-server", "scheduler", "dag-processor", "triggerer", "worker-cpu", "worker-gpu")
SECRETS = re.compile(r"(PASSWORD|SECRET|FERNET_KEY)")


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, comments gone and continued lines joined."""
    text = "\n".join(line for line in (DOCKER / "Dockerfile").read_text().splitlines() if not line.startswith("#"))
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], re.sub(r"\s+", " ", line.split(maxsplit=1)[1])) for line in lines]


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage, those of the stages it builds on first."""
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for name, argument in instructions():
        if name == "FROM":
            parent, stage = re.fullmatch(r"(\S+) AS (\S+)", argument).groups()  # type: ignore[union-attr]
            current = found[stage] = list(found.get(parent, []))
        current.append((name, argument))
    return found


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    return dict(yaml.safe_load((DOCKER / name).read_text()))


def env_example() -> dict[str, str]:
    lines = [line for line in (DOCKER / "env.example").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("target", TARGETS)
def test_the_image_extends_the_pinned_airflow_and_never_runs_as_root(target: str) -> None:
    stage = stages()[target]

    bases = [argument.split()[0] for name, argument in stage if name == "FROM"]
    assert bases[0] == "apache/airflow:3.3.2-python3.11"
    assert [argument for name, argument in stage if name == "USER"][-1] == "airflow"
    assert [name for name, _ in stage].count("HEALTHCHECK") == 1


@pytest.mark.parametrize("target", TARGETS)
def test_everything_that_is_installed_is_locked(target: str) -> None:
    runs = " ".join(argument for name, argument in stages()[target] if name == "RUN")

    pip = re.findall(r"pip install ([^&]*)", runs)
    assert all("requirements.lock" in one or '"$torch"' in one or "/opt/affect-pipeline" in one for one in pip)
    lock = (DOCKER / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+( ; .*)?", line) for line in lock)
    assert {line.split("==")[0] for line in lock} >= {
        "apache-airflow-providers-celery", "apache-airflow-providers-cncf-kubernetes", "redis", "s3fs",
    }  # fmt: skip


def test_the_lock_of_the_image_holds_what_the_tests_run_with() -> None:
    image = set((DOCKER / "requirements.lock").read_text().splitlines())

    assert image <= set((ROOT / "requirements-dev.lock").read_text().splitlines())
    assert set((ROOT / "requirements.lock").read_text().splitlines()) <= image


def test_the_dockerfile_keeps_to_the_usual_rules() -> None:
    for name, argument in instructions():
        assert name not in {"ADD", "MAINTAINER"}
        if name == "RUN" and "apt-get install" in argument:
            assert "--no-install-recommends" in argument
            assert "--yes" in argument
            assert "rm -rf /var/lib/apt/lists/*" in argument
        if name == "RUN":
            assert "sudo" not in argument
            assert not re.search(r"(^|&& )cd ", argument)
        if name == "COPY":
            assert "--chown=airflow:0" in argument
        if name == "WORKDIR":
            assert argument.startswith("/")
        if name == "SHELL":
            assert "pipefail" in argument
        if name in {"CMD", "ENTRYPOINT"}:
            assert isinstance(json.loads(argument), list)
    assert not [argument for name, argument in instructions() if name in {"ARG", "ENV"} and SECRETS.search(argument)]


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    kept = {line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}

    assert all((ROOT / name).exists() for name in kept)
    assert kept >= {"affect_pipeline", "dags", "plugins", "sql", "docker/init", "docker/pools.json"}


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_compose_files_use_keys_that_compose_knows(name: str) -> None:
    content = compose(name)

    assert set(content) <= {"name", "services", "volumes", "x-airflow"}
    for service in content["services"].values():
        assert set(service) <= SERVICE_KEYS
        assert set(service.get("healthcheck", {})) <= HEALTH_KEYS


def test_every_service_is_watched_and_waits_for_what_it_needs() -> None:
    content = compose()
    services = content["services"]

    assert set(services) == {"postgres", "redis", *OURS}
    for name, service in services.items():
        if name == "init":
            assert service["restart"] == "no"
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        for needed, how in service.get("depends_on", {}).items():
            ends = how["condition"] == "service_completed_successfully"
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}
            assert ends == (services[needed]["restart"] == "no")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in content["volumes"] or (DOCKER / source).exists()


def test_services_of_ours_run_as_one_image_without_root_or_open_ports() -> None:
    services = compose()["services"]

    for name in OURS:
        assert services[name]["user"] == "50000:0"
        assert services[name]["image"] == "${AFFECT_IMAGE:-affect-pipeline:cpu}"
        assert services[name]["init"] is True
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert re.search(r":\S+$", service["image"])


def test_no_secret_stands_in_a_compose_file_and_the_example_names_each() -> None:
    text = COMPOSE.read_text()
    needed = set(re.findall(r"\$\{(\w+):\?", text))

    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRETS.search(name):
                assert "${" in value or name.endswith("_FILE"), name
    assert needed <= set(env_example())
    assert all(env_example()[name] == "" for name in needed)
    with pytest.raises(StackError, match="AFFECT_"):
        read_services(COMPOSE, {})


def test_each_queue_of_the_dags_has_a_worker(dags: dict[str, Any]) -> None:
    services = read_services(COMPOSE, dict.fromkeys(env_example(), "x"))
    served = {
        service.command[service.command.index("--queues") + 1] for service in services.values()
        if "--queues" in service.command
    }  # fmt: skip

    queues = {task["queue"] for dag in dags.values() for task in dag["tasks"].values()}
    assert queues == served == {"cpu", "gpu"}
    for dag in dags.values():
        for task in dag["tasks"].values():
            assert (task["pool"] == "gpu") == (task["queue"] == "gpu")


def test_commands_are_programs_of_this_environment() -> None:
    programs = {
        service.command[0] for name, service in read_services(COMPOSE, dict.fromkeys(env_example(), "x")).items()
        if name in OURS
    }  # fmt: skip

    beside = Path(sys.executable).parent
    assert all(shutil.which(program, path=f"{beside}:/usr/bin:/bin") for program in programs)


def test_the_gpu_worker_asks_for_one_gpu() -> None:
    worker = compose("compose.gpu.yaml")["services"]["worker-gpu"]

    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert worker["build"]["target"] == "cuda"


def test_the_pool_of_an_installation_is_that_of_the_local_stack() -> None:
    pools = json.loads((DOCKER / "pools.json").read_text())

    assert pools["gpu"]["slots"] == 1
    assert pools["gpu"]["include_deferred"] is True


def test_the_chart_runs_tasks_as_pods_without_root() -> None:
    values = compose("helm-values.yaml")

    assert values["executor"] == "KubernetesExecutor"
    assert values["airflowVersion"] == "3.3.2"
    assert values["securityContexts"]["pod"]["runAsNonRoot"] is True
    names = {one["name"] for one in values["env"]} | {one["envName"] for one in values["secret"]}
    fields = {f"AFFECT_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in names if name.startswith("AFFECT_")} <= fields
    assert not SECRETS.search(json.dumps(values["env"]))


def test_variables_are_filled_in_as_compose_does() -> None:
    given = {"HOST": "redis", "EMPTY": ""}

    assert fill_in("${HOST}:${PORT:-6379} $${HOST} ${EMPTY:-x}", given) == "redis:6379 ${HOST} x"
    with pytest.raises(StackError, match="PASSWORD is not set: give one"):
        fill_in("${PASSWORD:?give one}", given)
