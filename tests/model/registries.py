"""A real MLflow registry on SQLite, made once a session and copied for each test that wants its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from affect_pipeline.model.encoder import tiny_encoder
from affect_pipeline.model.registry import register
from affect_pipeline.settings import Settings


@pytest.fixture(scope="session")
def registry_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a tiny model registered as champion. MLflow takes seconds to make its tables."""
    home = tmp_path_factory.mktemp("registry")
    tiny_encoder(0).save(home / "tiny")
    register(with_registry(Settings(home=home)), home / "tiny", "champion")
    shutil.rmtree(home / "models")
    return home


def with_registry(settings: Settings) -> Settings:
    """Return the settings with the registry in a SQLite file in their home."""
    return settings.model_copy(update={"mlflow_uri": f"sqlite:///{settings.home}/mlflow.db"})


def copy_registry(template: Path, settings: Settings) -> Settings:
    """Give an installation its own copy of the registry's database; artifacts stay where they are, read only."""
    settings.home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template / "mlflow.db", settings.home / "mlflow.db")
    return with_registry(settings)
