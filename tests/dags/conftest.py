"""What the DAG files define, read by Airflow in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from affect_pipeline.stack.assets import assets_folder

DESCRIBE = Path(__file__).with_name("describe.py")


@pytest.fixture(scope="session")
def dag_facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("dags")
    environment = dict(
        os.environ,
        AIRFLOW_HOME=str(folder / "airflow"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AFFECT_HOME=str(folder / "home"),
        AFFECT_WAREHOUSE_URL="postgresql://ann:hunter2@db.example.org/clinic",
    )
    output = folder / "facts.json"
    command = [sys.executable, str(DESCRIBE), str(assets_folder("dags")), str(output)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(output.read_text()))


@pytest.fixture(scope="session")
def dags(dag_facts: dict[str, Any]) -> dict[str, Any]:
    return dict(dag_facts["dags"])
