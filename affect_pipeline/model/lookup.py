"""Which model version an alias points to, asked anew each time and without importing MLflow.

A nightly shard asks this once. Importing MLflow and opening its store takes seconds, as long as
scoring the shard may take; a single query takes milliseconds. For stores that are not databases the
client is used after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from affect_pipeline.errors import ModelError, RegistryUnavailable
from affect_pipeline.model.tracking import SETTING, mlflow_client, mlflow_uri
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.queries import sql

DIGEST_TAG = "affect.digest"

Row = tuple[int, int, str | None]
"""Version, time of registration in milliseconds since 1970, digest."""


@dataclass(frozen=True)
class ModelVersion:
    """A registered model version.

    Parameters
    ----------
    name : str
        Name of the registered model.
    version : int
        Its number in the registry.
    digest : str
        SHA-256 of weights and configuration.
    registered_at : datetime
        When it was registered, UTC, as the registry says.
    """

    name: str
    version: int
    digest: str
    registered_at: datetime


def find_alias(settings: Settings, alias: str) -> ModelVersion | None:
    """Return the model version that an alias points to, None if there is none.

    Raises
    ------
    RegistryUnavailable
        If the registry cannot be reached.
    ModelError
        If the version was not registered by this package and has no digest.
    """
    uri = mlflow_uri(settings)
    is_database = uri.startswith(("postgresql", "sqlite"))
    row = _ask_database(uri, settings.model_name, alias) if is_database else _ask_client(settings, alias)
    if row is None:
        return None
    version, created_ms, digest = row
    if not digest:
        raise ModelError(
            f"{settings.model_name} version {version} (alias {alias}) has no tag {DIGEST_TAG}, so its weights cannot "
            "be checked. Register models with `affect model register`."
        )
    return ModelVersion(settings.model_name, version, digest, from_milliseconds(created_ms))


def _ask_database(uri: str, name: str, alias: str) -> Row | None:
    url = sa.make_url(uri)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")  # the bare name would mean another driver
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    try:
        with engine.connect() as connection:
            return _query(connection, name, alias)
    except sa.exc.OperationalError as error:
        detail = str(error.orig).splitlines()[0] if error.orig else ""
        where = url.render_as_string(hide_password=True)
        raise RegistryUnavailable(f"the model registry at {where}", SETTING, detail) from error
    finally:
        engine.dispose()


def _query(connection: sa.Connection, name: str, alias: str) -> Row | None:
    if not sa.inspect(connection).has_table("registered_model_aliases"):
        return None  # MLflow makes its tables when the first model is registered
    found = connection.execute(sa.text(sql("select_aliased_version")), {"name": name, "alias": alias}).one_or_none()
    return None if found is None else (int(found.version), int(found.created_ms), found.digest)


def _ask_client(settings: Settings, alias: str) -> Row | None:
    with mlflow_client(settings) as client:
        from mlflow.exceptions import MlflowException

        try:
            found = client.get_model_version_by_alias(settings.model_name, alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        return int(found.version), int(found.creation_timestamp), found.tags.get(DIGEST_TAG)


def from_milliseconds(milliseconds: int) -> datetime:
    """Return a time of the registry as a datetime in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
