"""The environment of the stack's processes: its own settings, nobody else's, and private secrets."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from affect_pipeline.settings import Settings
from affect_pipeline.stack.environment import Databases, admin_password, airflow_home, child_environment, tasks_at_once
from affect_pipeline.stack.ports import Ports

DATABASES = Databases("postgresql://w", "postgresql+psycopg2://a", "postgresql://m")
FOREIGN = {
    "AIRFLOW_HOME": "/elsewhere",
    "AIRFLOW__CORE__DAGS_FOLDER": "/elsewhere/dags",
    "MLFLOW_TRACKING_URI": "http://elsewhere",
    "OPENLINEAGE_URL": "http://elsewhere",
    "AFFECT_WAREHOUSE_URL": "postgresql://elsewhere",
    "LANG": "C.UTF-8",
    "PATH": "/bin",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    secret = SecretStr("as long as a secret has to be, at least")
    return Settings(home=tmp_path / "home", max_shards=3, pseudonym_secret=secret)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    return child_environment(settings, DATABASES, Ports(api=1234), FOREIGN)


def test_settings_of_another_installation_do_not_leak_in(environment: dict[str, str], settings: Settings) -> None:
    assert not [value for value in environment.values() if "elsewhere" in value]
    assert environment["AIRFLOW_HOME"] == str(airflow_home(settings))


def test_the_rest_of_the_environment_is_passed_on(environment: dict[str, str]) -> None:
    assert environment["LANG"] == "C.UTF-8"
    assert environment["PATH"].endswith(":/bin")


def test_children_read_the_settings_that_the_stack_was_started_with(
    environment: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert Settings() == settings.model_copy(
        update={
            "warehouse_url": DATABASES.warehouse,
            "mlflow_uri": DATABASES.mlflow,
            "landing_url": settings.landing,
            "tasks_at_once": tasks_at_once(),  # tasks take their share of the cores
        }
    )


def test_airflow_is_pointed_at_the_database_and_ports_of_this_stack(environment: dict[str, str]) -> None:
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == DATABASES.airflow
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:1234/execution/"


def test_secrets_are_private_random_and_stay_the_same(environment: dict[str, str], settings: Settings) -> None:
    again = child_environment(settings, DATABASES, Ports(api=1234), FOREIGN)
    files = [path for path in airflow_home(settings).iterdir() if path.is_file()]

    assert again == environment
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert len({path.read_text() for path in files}) == len(files)
    assert json.loads((airflow_home(settings) / "passwords.json").read_text()) == {"admin": admin_password(settings)}


def test_the_state_of_a_stack_is_closed_to_other_users(environment: dict[str, str], settings: Settings) -> None:
    assert stat.S_IMODE(airflow_home(settings).stat().st_mode) == 0o700
