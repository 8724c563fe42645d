"""The model registry: MLflow holds which model is the champion, and its weights.

A version is registered once for each digest. Nightly scoring asks for the alias, takes the weights
from ``<home>/models/<digest>`` or fetches them there, and checks the digest before every load.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from affect_pipeline.errors import ModelError
from affect_pipeline.files import atomic_folder, read_json
from affect_pipeline.model.encoder import AFFECT_FILE, copy_model, default_model_dir, read_metrics
from affect_pipeline.model.lookup import DIGEST_TAG, ModelVersion, find_alias, from_milliseconds
from affect_pipeline.model.provenance import provenance, verify_folder
from affect_pipeline.model.signing import check_is_signed, check_signature
from affect_pipeline.model.tracking import experiment_id, mlflow_client
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models.model import ModelInfo

CHAMPION, CHALLENGER = "champion", "challenger"
EXPERIMENT = "affect-models"
METRICS_TAG = "affect.metrics"
ARTIFACT = "model"
PIP_REQUIREMENTS = ("affect-pipeline",)


@dataclass(frozen=True)
class ResolvedModel:
    """A registered version with its verified weights on this machine."""

    version: ModelVersion
    folder: Path


@dataclass(frozen=True)
class RegisteredModel:
    """What the registry knows of a version."""

    version: ModelVersion
    aliases: tuple[str, ...]
    description: str
    metrics: dict[str, Any]
    tags: dict[str, str]


def resolve(settings: Settings, alias: str | None = None) -> ResolvedModel:
    """Return the model behind an alias, its weights fetched and verified.

    The alias is asked for each time; weights that are here already are verified, not fetched.

    Parameters
    ----------
    settings : Settings
        The installation.
    alias : str, optional
        By default ``settings.model_alias``.

    Raises
    ------
    RegistryUnavailable
        If the registry cannot be reached.
    DigestMismatch
        If the weights are not those that were registered.
    ModelError
        If nothing has that alias.
    """
    alias = alias or settings.model_alias
    version = find_alias(settings, alias)
    if version is None:
        raise ModelError(
            f"no version of {settings.model_name} has the alias {alias!r}. "
            "Run `affect model register --alias champion` to register the model that comes with the package."
        )
    return ResolvedModel(version, fetch(settings, version))


def fetch(settings: Settings, version: ModelVersion) -> Path:
    """Return the folder of a version's weights, fetched if they are not here, and verified.

    Raises
    ------
    DigestMismatch
        If the weights are not those that were registered.
    SignatureRefused
        If the settings ask for a signature that the version does not have.
    RegistryUnavailable
        If they have to be fetched and cannot be.
    """
    check_is_signed(settings, version)
    folder = settings.home / "models" / version.digest
    if not folder.exists():
        import mlflow.artifacts

        with mlflow_client(settings), atomic_folder(folder) as temporary:
            uri = f"models:/{version.name}/{version.version}"
            fetched = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(temporary / "fetched")))
            source = fetched / "artifacts" / ARTIFACT
            verify_folder(source, version.digest)
            for path in sorted(source.iterdir()):
                path.rename(temporary / path.name)
            shutil.rmtree(temporary / "fetched")
    verify_folder(folder, version.digest)
    check_signature(settings, version, folder)
    return folder


def register(settings: Settings, folder: Path | None = None, alias: str | None = None) -> ModelVersion:
    """Register a model folder; a digest that is registered already keeps its version.

    Parameters
    ----------
    settings : Settings
        The installation.
    folder : Path, optional
        A model folder; by default the model that comes with the package.
    alias : str, optional
        An alias to give to the version. Use `lifecycle.promote` to change the champion.

    Raises
    ------
    ModelError
        If the folder is refused.
    RegistryUnavailable
        If the registry cannot be reached.
    """
    folder = folder or default_model_dir()
    digest = verify_folder(folder)
    with _one_at_a_time(settings), mlflow_client(settings) as client:
        version = _find(client, settings.model_name, digest) or _log(settings, client, folder, digest)
        if alias is not None:
            client.set_registered_model_alias(version.name, alias, str(version.version))
    return version


def ensure_champion(settings: Settings) -> ModelVersion:
    """Return the champion; if there is none, register the model that comes with the package as it."""
    return find_alias(settings, CHAMPION) or register(settings, alias=CHAMPION)


def list_versions(settings: Settings) -> list[RegisteredModel]:
    """Return all versions of the model in the registry, the newest first."""
    with mlflow_client(settings) as client:
        found = client.search_model_versions(f"name = '{settings.model_name}'")
        aliases = _aliases(client, settings.model_name) if found else {}
    versions = [_described(one, aliases) for one in found if DIGEST_TAG in one.tags]
    return sorted(versions, key=lambda one: -one.version.version)


def find_version(settings: Settings, which: str) -> RegisteredModel:
    """Return a version by its number, its alias, or the beginning of its digest (8 characters at least).

    Raises
    ------
    ModelError
        If there is none, or more than one; the message lists what there is.
    """
    versions = list_versions(settings)
    matches = [
        one
        for one in versions
        if which == str(one.version.version)
        or which in one.aliases
        or (len(which) >= 8 and one.version.digest.startswith(which))
    ]
    if len(matches) == 1:
        return matches[0]
    known = ", ".join(
        f"{one.version.version} ({one.version.digest[:12]}{''.join(', ' + alias for alias in one.aliases)})"
        for one in versions
    )
    raise ModelError(f"{which!r} names {len(matches)} versions of {settings.model_name}; there are: {known or 'none'}")


def set_alias(settings: Settings, alias: str, version: ModelVersion, tags: dict[str, str] | None = None) -> None:
    """Point an alias at a version, in one step, after writing tags on that version."""
    with mlflow_client(settings) as client:
        for key, value in (tags or {}).items():
            client.set_model_version_tag(version.name, str(version.version), key, value)
        client.set_registered_model_alias(version.name, alias, str(version.version))


def _find(client: MlflowClient, name: str, digest: str) -> ModelVersion | None:
    # The filter language has no bound parameters; a digest is hex, and names come from the settings.
    found = client.search_model_versions(f"name = '{name}' AND tags.`{DIGEST_TAG}` = '{digest}'")
    if not found:
        return None
    first = min(found, key=lambda one: int(one.version))
    return ModelVersion(name, int(first.version), digest, from_milliseconds(first.creation_timestamp))


def _log(settings: Settings, client: MlflowClient, folder: Path, digest: str) -> ModelVersion:
    import mlflow
    from mlflow.exceptions import MlflowException

    from affect_pipeline.model.card import model_card
    from affect_pipeline.model.summary import finite, flat_numbers, short_card

    metrics = finite(read_metrics(folder))
    description = short_card(read_json(folder / AFFECT_FILE), metrics, digest)
    experiment = experiment_id(settings, client, EXPERIMENT)
    tags = {DIGEST_TAG: digest, METRICS_TAG: json.dumps(metrics, sort_keys=True)} | provenance()
    with mlflow.start_run(experiment_id=experiment, run_name=f"register-{digest[:12]}") as run:
        mlflow.set_tags({DIGEST_TAG: digest} | provenance())
        mlflow.log_metrics(flat_numbers(metrics))
        # A model measured by other means than `affect model evaluate` gets the short card only.
        mlflow.log_text(model_card(folder) if "figures" in metrics else description, "model-card.md")
        logged = _log_pyfunc(folder, digest)
        with suppress(MlflowException):  # every version but the first finds the name taken
            client.create_registered_model(settings.model_name)
        made = client.create_model_version(
            settings.model_name,
            logged.model_uri,
            run_id=run.info.run_id,
            tags=tags,
            description=description,
            model_id=logged.model_id,
        )
    return ModelVersion(settings.model_name, int(made.version), digest, from_milliseconds(made.creation_timestamp))


def _log_pyfunc(folder: Path, digest: str) -> ModelInfo:
    """Store the weights with signature and input example; the code of the model is a text file, not a pickle."""
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import Array

    from affect_pipeline.model.scorer import OUTPUT_COLUMNS

    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.long if name == "n_windows" else DataType.double, name) for name in OUTPUT_COLUMNS
    ]
    tone = (0.1 * np.sin(np.arange(16_000) * (2 * np.pi * 150 / 16_000))).round(4)
    with TemporaryDirectory() as scratch, _no_bytecode():
        copy_model(folder, Path(scratch) / ARTIFACT)  # the files of a model and nothing that lies beside them
        info: ModelInfo = mlflow.pyfunc.log_model(
            name=ARTIFACT,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={ARTIFACT: str(Path(scratch) / ARTIFACT)},
            model_config={"digest": digest},
            signature=ModelSignature(
                inputs=Schema([ColSpec(Array(DataType.double), "audio")]),
                outputs=Schema(outputs),
            ),
            input_example=pd.DataFrame({"audio": [tone.tolist()]}),
            pip_requirements=list(PIP_REQUIREMENTS),
        )
    return info


@contextmanager
def _no_bytecode() -> Iterator[None]:
    """MLflow runs the logged program once from where it is stored; nothing but the program shall lie there."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _described(one: Any, aliases: dict[str, list[str]]) -> RegisteredModel:
    return RegisteredModel(
        version=ModelVersion(
            one.name, int(one.version), one.tags[DIGEST_TAG], from_milliseconds(one.creation_timestamp)
        ),
        aliases=tuple(sorted(aliases.get(str(one.version), []))),
        description=one.description or "",
        metrics=json.loads(one.tags.get(METRICS_TAG, "{}")),
        tags=dict(one.tags),
    )


def _aliases(client: MlflowClient, name: str) -> dict[str, list[str]]:
    """Return the aliases of each version; a search does not fill them in."""
    by_version: dict[str, list[str]] = {}
    for alias, version in client.get_registered_model(name).aliases.items():
        by_version.setdefault(str(version), []).append(alias)
    return by_version


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    """Let one process of this installation register at a time, so that a digest gets one version."""
    folder = settings.home / "models"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".register.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
