"""Signatures of models: who vouches that these weights may score patients.

The owner of an Ed25519 key (RFC 8032) signs the digest of a version, which covers its weights and configuration. The
signature stands in the registry and beside the fetched weights. Where ``AFFECT_MODEL_PUBLIC_KEY_FILE`` names a public
key, a version that its owner has not signed is refused before its weights are loaded, whoever moved the alias there.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import TYPE_CHECKING

from affect_pipeline.errors import SettingsError, SignatureRefused
from affect_pipeline.files import write_text
from affect_pipeline.model.lookup import ModelVersion
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_TAG = "affect.signature"
_PURPOSE = b"affect model, version 1: "


def new_key(private_file: Path) -> Path:
    """Make a key pair; returns the file of the public key, beside the private one, which only its owner may read.

    Raises
    ------
    SettingsError
        If the private file is there already.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(private_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise SettingsError(f"{private_file} is there already; a key is never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public_file = private_file.with_suffix(".pub.pem")
    public_file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public_file


def sign(settings: Settings, version: ModelVersion, private_file: Path) -> str:
    """Sign a registered version, after its weights were verified; the signature is kept in the registry.

    Returns
    -------
    str
        The signature, base64.

    Raises
    ------
    DigestMismatch
        If its weights are not those that were registered: nobody should sign them.
    SettingsError
        If the key cannot be read.
    """
    from affect_pipeline.model.registry import fetch
    from affect_pipeline.model.tracking import mlflow_client

    unsigned = settings.model_copy(update={"model_public_key_file": None})
    fetch(unsigned, version)
    signature = base64.b64encode(_private_key(private_file).sign(_message(version.digest))).decode()
    with mlflow_client(settings) as client:
        client.set_model_version_tag(version.name, str(version.version), SIGNATURE_TAG, signature)
    write_text(signature, _kept(settings, version))
    return signature


def check_signature(settings: Settings, version: ModelVersion) -> None:
    """Refuse a version that the owner of the configured key has not signed; does nothing where no key is configured.

    Raises
    ------
    SignatureRefused
        If there is no signature, or it is not one of this key over this version.
    SettingsError
        If the key cannot be read.
    RegistryUnavailable
        If the signature has to be fetched and cannot be.
    """
    if settings.model_public_key_file is None:
        return
    key = _public_key(settings.model_public_key_file)
    kept = _kept(settings, version)
    if kept.exists() and _is_good(key, version.digest, kept.read_text()):
        return
    from affect_pipeline.model.tracking import mlflow_client

    with mlflow_client(settings) as client:
        signature = client.get_model_version(version.name, str(version.version)).tags.get(SIGNATURE_TAG)
    name = f"version {version.version} of {version.name} ({version.digest[:12]})"
    if signature is None:
        raise SignatureRefused(f"{name} is not signed: `affect model sign {version.version} --key FILE` signs it")
    if not _is_good(key, version.digest, signature):
        raise SignatureRefused(
            f"{name} is not signed by the owner of {settings.model_public_key_file}: the signature is another "
            "key's, or another model's. Find out who put this version there before signing it."
        )
    write_text(signature, kept)


def _is_good(key: Ed25519PublicKey, digest: str, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(base64.b64decode(signature, validate=True), _message(digest))
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _message(digest: str) -> bytes:
    return _PURPOSE + digest.encode()


def _kept(settings: Settings, version: ModelVersion) -> Path:
    return settings.home / "models" / f"{version.digest}.signature"


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{path} is not a private key in PEM without a password ({type(error).__name__})") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path} is no Ed25519 key; `affect model new-key` makes one")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"AFFECT_MODEL_PUBLIC_KEY_FILE: {path} is no public key ({type(error).__name__})") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"AFFECT_MODEL_PUBLIC_KEY_FILE: {path} is no Ed25519 key")
    return key
