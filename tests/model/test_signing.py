"""Only models that the owner of the configured key has vouched for are loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from affect_pipeline.errors import DigestMismatch, SettingsError, SignatureRefused
from affect_pipeline.model.encoder import METRICS_FILE, WEIGHTS_FILE, tiny_encoder
from affect_pipeline.model.registry import register, resolve
from affect_pipeline.model.signing import SIGNATURE_TAG, new_key, sign, signature_file
from affect_pipeline.model.tracking import mlflow_client
from affect_pipeline.settings import Settings
from tests.model.registries import copy_registry, registry_template

__all__ = ["registry_template"]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "key.pem"


@pytest.fixture
def trusting(registry_template: Path, settings: Settings, key: Path) -> Settings:
    """An installation with a champion that nobody has signed, and a key whose owner is trusted."""
    public = new_key(key)
    return copy_registry(registry_template, settings).model_copy(update={"model_public_key_file": public})


def test_an_unsigned_model_is_refused_until_it_is_signed(trusting: Settings, key: Path) -> None:
    with pytest.raises(SignatureRefused, match="affect model sign 1"):
        resolve(trusting)
    assert not (trusting.home / "models").exists(), "its weights were not even fetched"

    sign(trusting, resolve(trusting.model_copy(update={"model_public_key_file": None})).version, key)

    assert resolve(trusting).folder.is_dir()


def test_the_signature_beside_the_weights_is_one_that_model_signing_verifies(trusting: Settings, key: Path) -> None:
    version = register_of(trusting)
    sign(trusting, version, key)
    folder, beside = resolve(trusting).folder, signature_file(trusting, version)
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder), "--signature", str(beside)]

    def verified() -> bool:
        public = ["--public_key", str(trusting.model_public_key_file)]
        return subprocess.run([*command, *public], capture_output=True, check=False).returncode == 0

    assert verified()
    (folder / METRICS_FILE).write_text("{}")
    assert not verified()
    with pytest.raises(SignatureRefused, match="is not signed by the owner"):
        resolve(trusting)


@pytest.mark.parametrize(
    "signature", ["", "rubbish", "{}", '{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}']
)
def test_what_is_no_signature_is_refused(trusting: Settings, signature: str) -> None:
    version = register_of(trusting)
    with mlflow_client(trusting) as client:
        client.set_model_version_tag(version.name, str(version.version), SIGNATURE_TAG, signature)

    with pytest.raises(SignatureRefused, match="is not signed by the owner"):
        resolve(trusting)


def test_a_signature_of_another_key_is_refused(trusting: Settings, key: Path, tmp_path: Path) -> None:
    version = resolve(trusting.model_copy(update={"model_public_key_file": None})).version
    new_key(tmp_path / "other.pem")

    sign(trusting, version, tmp_path / "other.pem")

    with pytest.raises(SignatureRefused, match="is not signed by the owner"):
        resolve(trusting)


def test_a_signature_of_another_model_is_refused(trusting: Settings, key: Path, tmp_path: Path) -> None:
    version = resolve(trusting.model_copy(update={"model_public_key_file": None})).version
    signature = sign(trusting, version, key)
    tiny_encoder(1).save(tmp_path / "other model")
    other = register(trusting, tmp_path / "other model", alias="champion")
    with mlflow_client(trusting) as client:
        client.set_model_version_tag(other.name, str(other.version), SIGNATURE_TAG, signature)

    with pytest.raises(SignatureRefused, match="is not signed by the owner"):
        resolve(trusting)


def test_a_flipped_byte_of_a_signed_model_is_refused(trusting: Settings, key: Path) -> None:
    sign(trusting, resolve(trusting.model_copy(update={"model_public_key_file": None})).version, key)
    weights = resolve(trusting).folder / WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)

    with pytest.raises(DigestMismatch):
        resolve(trusting)
    with pytest.raises(DigestMismatch):
        sign(trusting, register_of(trusting), key)


def test_what_is_no_key_is_said_to_be_none(trusting: Settings, key: Path) -> None:
    version = register_of(trusting)
    with pytest.raises(SettingsError, match="never overwritten"):
        new_key(key)
    with pytest.raises(SettingsError, match="not a private elliptic-curve key"):
        sign(trusting, version, trusting.model_public_key_file or key)
    with pytest.raises(SettingsError, match="AFFECT_MODEL_PUBLIC_KEY_FILE"):
        resolve(trusting.model_copy(update={"model_public_key_file": key}))
    assert key.stat().st_mode & 0o077 == 0


def register_of(settings: Settings):  # type: ignore[no-untyped-def]
    from affect_pipeline.model.lookup import find_alias

    return find_alias(settings, "champion")
