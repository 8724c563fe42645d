"""Signatures of models: who vouches that these weights may score patients.

The owner of an elliptic-curve key (NIST P-256) signs the files of a version with `model-signing` (OpenSSF Model
Signing: in-toto statements in Sigstore bundles; with a key of one's own, no service is asked). The signature stands in
the registry and beside the fetched weights, where ``model_signing verify key`` can check it, too. Where
``AFFECT_MODEL_PUBLIC_KEY_FILE`` names a public key, a version that its owner has not signed is refused before its
weights are loaded, whoever moved the alias there.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from affect_pipeline.errors import SettingsError, SignatureRefused
from affect_pipeline.files import write_text
from affect_pipeline.model.lookup import ModelVersion
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE_TAG = "affect.signature"


def new_key(private_file: Path) -> Path:
    """Make a key pair; returns the file of the public key, beside the private one, which only its owner may read.

    Raises
    ------
    SettingsError
        If the private file is there already.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(SECP256R1())
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
    """Sign the files of a registered version, after they were verified; the signature is kept in the registry.

    Returns
    -------
    str
        The signature, a Sigstore bundle (JSON).

    Raises
    ------
    DigestMismatch
        If its weights are not those that were registered: nobody should sign them.
    SettingsError
        If the key cannot be read.
    """
    from model_signing.signing import Config

    from affect_pipeline.model.registry import fetch
    from affect_pipeline.model.tracking import mlflow_client

    unsigned = settings.model_copy(update={"model_public_key_file": None})
    folder = fetch(unsigned, version)
    try:
        signer = Config().use_elliptic_key_signer(private_key=private_file)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{private_file} is not a private elliptic-curve key in PEM without a password ({type(error).__name__}); "
            "`affect model new-key` makes one"
        ) from None
    with tempfile.TemporaryDirectory() as scratch:
        signer.sign(folder, Path(scratch, "signature"))
        signature = Path(scratch, "signature").read_text()
    with mlflow_client(settings) as client:
        client.set_model_version_tag(version.name, str(version.version), SIGNATURE_TAG, signature)
    write_text(signature, signature_file(settings, version))
    return signature


def signatures(settings: Settings, version: ModelVersion) -> Iterator[str]:
    """Yield the signature that was kept beside the weights, if there is one, then that of the registry.

    Raises
    ------
    SignatureRefused
        If the registry has none.
    RegistryUnavailable
        If it has to be asked and cannot be.
    """
    kept = signature_file(settings, version)
    if kept.exists():
        yield kept.read_text()
    from affect_pipeline.model.tracking import mlflow_client

    with mlflow_client(settings) as client:
        signature = client.get_model_version(version.name, str(version.version)).tags.get(SIGNATURE_TAG)
    if signature is None:
        raise SignatureRefused(
            f"{_name(version)} is not signed: `affect model sign {version.version} --key FILE` signs it"
        )
    yield str(signature)


def check_is_signed(settings: Settings, version: ModelVersion) -> None:
    """Refuse a version without any signature before its weights are fetched; nothing where no key is configured.

    Raises
    ------
    SignatureRefused
        If it has none.
    SettingsError
        If the key cannot be read.
    """
    if settings.model_public_key_file is not None:
        _check_public_key(settings.model_public_key_file)
        next(iter(signatures(settings, version)))


def check_signature(settings: Settings, version: ModelVersion, folder: Path) -> None:
    """Refuse a version that the owner of the configured key has not signed; does nothing where no key is configured.

    Parameters
    ----------
    settings : Settings
        The installation.
    version : ModelVersion
        The version.
    folder : Path
        Its files; all of them have to be those that were signed.

    Raises
    ------
    SignatureRefused
        If there is no signature, or it is not one of this key over these files.
    SettingsError
        If the key cannot be read.
    RegistryUnavailable
        If the signature has to be fetched and cannot be.
    """
    key_file = settings.model_public_key_file
    if key_file is None:
        return
    for signature in signatures(settings, version):
        if _is_good(key_file, folder, signature):
            write_text(signature, signature_file(settings, version))
            return
    raise SignatureRefused(
        f"{_name(version)} is not signed by the owner of {key_file}: the signature is another "
        "key's, or another model's. Find out who put this version there before signing it."
    )


def signature_file(settings: Settings, version: ModelVersion) -> Path:
    """Return where the signature of fetched weights is kept."""
    return settings.home / "models" / f"{version.digest}.sig"


def sign_text(text: str, private_file: Path) -> str:
    """Return the signature (base64) of a text that says what a file made from a model is.

    Raises
    ------
    SettingsError
        If the key cannot be read.
    """
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{private_file} is not a private key in PEM ({type(error).__name__})") from None
    if not isinstance(key, EllipticCurvePrivateKey):
        raise SettingsError(f"{private_file} is no elliptic-curve key; `affect model new-key` makes one")
    return base64.b64encode(key.sign(text.encode(), ECDSA(SHA256()))).decode()


def is_signed(text: str, signature: str, public_file: Path) -> bool:
    """Return whether a signature is the key owner's over a text.

    Raises
    ------
    SettingsError
        If the key cannot be read.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    _check_public_key(public_file)
    key = load_pem_public_key(public_file.read_bytes())
    assert isinstance(key, EllipticCurvePublicKey)
    try:
        key.verify(base64.b64decode(signature, validate=True), text.encode(), ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _is_good(key_file: Path, folder: Path, signature: str) -> bool:
    from model_signing.verifying import Config

    with tempfile.NamedTemporaryFile("w", suffix=".sig") as file:
        file.write(signature)
        file.flush()
        try:
            verifier = Config().use_elliptic_key_verifier(public_key=key_file)  # type: ignore[no-untyped-call]
            verifier.verify(folder, Path(file.name))
        except Exception:  # what is no bundle is refused in many ways
            return False
    return True


def _check_public_key(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"AFFECT_MODEL_PUBLIC_KEY_FILE: {path} is no public key ({type(error).__name__})") from None
    if not isinstance(key, EllipticCurvePublicKey):
        raise SettingsError(f"AFFECT_MODEL_PUBLIC_KEY_FILE: {path} is no elliptic-curve key")


def _name(version: ModelVersion) -> str:
    return f"version {version.version} of {version.name} ({version.digest[:12]})"
