"""Secrets that Airflow's secrets backend holds; each test asks a real one, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from affect_pipeline.errors import SettingsError
from affect_pipeline.settings import Settings

SECRET = "kept in a vault, 5c1d7a0be2f94d"
URL = "postgresql://ann:hunter2@db.example.org/clinic"

READ = """
import hashlib, sys
from affect_pipeline.settings import get_settings
settings = get_settings()
print(hashlib.sha256(settings.pseudonym_key()).hexdigest(), settings.warehouse_url.rpartition("@")[2], settings)
print("airflow" in sys.modules)
"""


def read_settings(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Read settings in a child whose Airflow has the two secrets in a file."""
    held = {"affect_pseudonym_secret": SECRET, "affect_warehouse_url": URL}
    (folder / "variables.json").write_text(json.dumps(held))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AFFECT_", "AIRFLOW_"))}
    backend = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"variables_file_path": str(folder / "variables.json")}),
        "AFFECT_HOME": str(folder / "home"),
    }
    command = [sys.executable, "-c", READ]
    return subprocess.run(command, env=inherited | backend | environment, capture_output=True, text=True, check=False)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def test_named_settings_come_from_airflows_secrets_backend_and_are_not_printed(tmp_path: Path) -> None:
    done = read_settings(tmp_path, AFFECT_AIRFLOW_SECRETS="pseudonym_secret, warehouse_url")

    assert done.stdout.startswith(f"{digest(SECRET)} db.example.org/clinic"), done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not (tmp_path / "home" / "secrets").exists()


def test_the_environment_comes_first(tmp_path: Path) -> None:
    mine = "given to this process alone, 77"
    done = read_settings(tmp_path, AFFECT_AIRFLOW_SECRETS="pseudonym_secret", AFFECT_PSEUDONYM_SECRET=mine)

    assert done.stdout.startswith(digest(mine)), done.stderr
    assert done.stdout.endswith("False\n"), "nothing was left to ask Airflow for"


def test_a_secret_that_airflow_does_not_have_is_named(tmp_path: Path) -> None:
    done = read_settings(tmp_path, AFFECT_AIRFLOW_SECRETS="encryption_key")

    assert "SettingsError: AFFECT_AIRFLOW_SECRETS names encryption_key" in done.stderr
    assert "no variable affect_encryption_key" in done.stderr
    assert done.stdout == ""


def test_what_is_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECT_AIRFLOW_SECRETS", "pseudonym_secert")
    with pytest.raises(SettingsError, match=r"pseudonym_secert: not settings"):
        Settings()
