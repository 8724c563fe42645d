"""What a model folder is, and whether it may be loaded: checked before every load.

Weights are data, not code. A folder is refused if anything in it could run code, if its
configuration asks for code of its own, if it is no Wav2Vec 2.0, or if its digest is not the one
that was registered.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from affect_pipeline.errors import DigestMismatch, ModelError, UnsafeModel
from affect_pipeline.model.encoder import (
    CONFIG_FILE,
    METRICS_FILE,
    UNSAFE_SUFFIXES,
    check_folder,
    folder_digest,
    read_metrics,
)

CODE_KEYS = ("auto_map", "custom_pipelines", "trust_remote_code")
"""Keys of a Hugging Face configuration that make a loader run code that comes with the model."""

KNOWN_ARCHITECTURES = ("wav2vec2",)

PACKAGES = ("torch", "transformers", "numpy", "safetensors", "soxr", "silero-vad")
"""What a score depends on besides the weights."""


def verify_folder(folder: Path, digest: str | None = None) -> str:
    """Return the digest of a model folder, after every check that does not need its weights loaded.

    Parameters
    ----------
    folder : Path
        A model folder.
    digest : str, optional
        The digest that it must have.

    Raises
    ------
    UnsafeModel
        If it holds a pickle or code, or asks for code.
    DigestMismatch
        If it has another digest than `digest`.
    ModelError
        If files are missing or the architecture is unknown.
    """
    refuse_code(folder)
    check_folder(folder)
    found = folder_digest(folder)
    measured = read_metrics(folder).get("digest", found)
    if measured != found:
        raise DigestMismatch(
            f"{folder} has digest {found}, but its {METRICS_FILE} was measured on {measured}: the files were changed "
            "or damaged since. Measure the model again with `affect model evaluate`."
        )
    if digest is not None and found != digest:
        raise DigestMismatch(
            f"{folder} has digest {found}, but {digest} was registered: the files were changed or damaged. "
            "Remove that folder to fetch the model anew, or register it as a model of its own."
        )
    return found


def refuse_code(folder: Path) -> None:
    """Refuse a Hugging Face folder, at any depth, that could run code when it is loaded.

    Raises
    ------
    UnsafeModel
        If it could.
    ModelError
        If there is no readable configuration of a known architecture.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder} is not a folder; a model is a folder with {CONFIG_FILE} and model.safetensors")
    unsafe = sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in UNSAFE_SUFFIXES
    )
    if unsafe:
        raise UnsafeModel(f"{folder} holds {unsafe}, which can run code when loaded; only safetensors are accepted")
    for path in sorted(folder.rglob("*.json")):
        keys = [key for key in CODE_KEYS if key in _keys(_read(path))]
        if keys:
            raise UnsafeModel(f"{path} has {keys}: the model wants to bring code of its own, which is never run")
    kind = read_config(folder).get("model_type")
    if kind not in KNOWN_ARCHITECTURES:
        raise ModelError(f"{folder} holds a model of type {kind!r}; known are {list(KNOWN_ARCHITECTURES)}")


def read_config(folder: Path) -> dict[str, Any]:
    """Return the Hugging Face configuration of a folder.

    Raises
    ------
    ModelError
        If it is missing or not a JSON object.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelError(f"{folder} is not a model folder: {CONFIG_FILE} is missing")
    config = _read(path)
    if not isinstance(config, dict):
        raise ModelError(f"{path} holds no JSON object")
    return config


def provenance(root: Path | None = None) -> dict[str, str]:
    """Return what a model's scores depend on besides its weights, as tags for the registry.

    Parameters
    ----------
    root : Path, optional
        The checkout whose commit is named; by default that of this package, if it is one.
    """
    tags = {f"affect.version.{name}": metadata.version(name) for name in PACKAGES}
    tags["affect.version.affect-pipeline"] = metadata.version("affect-pipeline")
    commit = git_commit(root or Path(__file__).resolve().parents[2])
    return tags | ({"affect.git_commit": commit} if commit else {})


def git_commit(root: Path) -> str | None:
    """Return the commit that a checkout stands at, None if `root` is no checkout or git is missing."""
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False, timeout=10
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also bad UTF-8
        raise ModelError(f"{path} is not JSON: {error}") from error


def _keys(value: Any) -> set[str]:
    """Return every key of a JSON value that holds something, at any depth."""
    if isinstance(value, dict):
        return {key for key, inner in value.items() if inner}.union(*(_keys(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(_keys(inner) for inner in value))
    return set()
