"""How every part of the package reaches MLflow: the same database, the same artifact folder, quietly."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from affect_pipeline.errors import RegistryUnavailable, SettingsError, StackError
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

SETTING = "AFFECT_MLFLOW_URI"

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing about a clinic leaves the machine
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # Airflow retries the task; a task should not wait for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Environment of MLflow, unless it is set already."""

ANSWERS = {
    "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_PARAMETER_VALUE", "INVALID_STATE",
    "PERMISSION_DENIED", "BAD_REQUEST",
}  # fmt: skip
"""Error codes by which a registry that was reached says no. With any other it was not reached."""


def mlflow_uri(settings: Settings) -> str:
    """Return the URI of MLflow's tracking store and registry, starting the embedded server if it is there.

    Raises
    ------
    RegistryUnavailable
        If the embedded server cannot be started.
    """
    if settings.mlflow_uri:
        return settings.mlflow_uri
    from affect_pipeline.warehouse.embedded import embedded_server

    try:
        return embedded_server(settings).url("mlflow")
    except StackError as error:
        raise RegistryUnavailable("the model registry on the embedded PostgreSQL", "AFFECT_HOME", str(error)) from error


@contextmanager
def mlflow_client(settings: Settings) -> Iterator[MlflowClient]:
    """Import MLflow, point it at this installation, and yield a client.

    Inside the block ``mlflow.start_run`` and its like work on the same store.

    Raises
    ------
    RegistryUnavailable
        If the store cannot be reached.
    SettingsError
        If the URI is not one that MLflow knows.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    uri = mlflow_uri(settings)
    _check_that_it_answers(uri)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own insides, such as missing type hints
        import mlflow
        import sqlalchemy as sa
        from mlflow.exceptions import MlflowException
        from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        try:
            mlflow.set_tracking_uri(uri)
            mlflow.set_registry_uri(uri)
            yield mlflow.MlflowClient(uri, uri)
        except UnsupportedModelRegistryStoreURIException as error:
            raise SettingsError(f"{SETTING} has a scheme that MLflow does not know") from error
        except (MlflowException, sa.exc.SQLAlchemyError, OSError) as error:
            if getattr(error, "error_code", "") in ANSWERS:
                raise
            raise RegistryUnavailable("the model registry", SETTING, _first_line(error)) from error


def experiment_id(settings: Settings, client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, made on first use.

    Artifacts of a database store go to ``<home>/mlflow-artifacts``; a tracking server decides itself.
    """
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    is_server = mlflow_uri(settings).startswith("http")
    location = None if is_server else (settings.home / "mlflow-artifacts").as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException as error:
        experiment = client.get_experiment_by_name(name)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or experiment is None:
            raise
        return str(experiment.experiment_id)  # another process was first


def _check_that_it_answers(uri: str) -> None:
    """Connect to a PostgreSQL store once: MLflow itself would try again for minutes before it gives up."""
    import sqlalchemy as sa

    if not uri.startswith("postgresql"):
        return
    url = sa.make_url(uri)
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"connect_timeout": 10})
    try:
        engine.connect().close()
    except sa.exc.OperationalError as error:
        where = url.render_as_string(hide_password=True)
        raise RegistryUnavailable(f"the model registry at {where}", SETTING, _first_line(error)) from error
    finally:
        engine.dispose()


def _first_line(error: BaseException) -> str:
    """Say what happened in one line, without the URL, which may hold a password."""
    original = getattr(error, "orig", None) or error
    return f"{type(original).__name__}: {str(original).splitlines()[0][:200]}" if str(original) else "no answer"
