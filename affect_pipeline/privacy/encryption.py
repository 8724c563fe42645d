"""Encryption of voices at rest: a data key for each patient, wrapped by the master key of the installation.

Wrapped keys are kept in the warehouse, in a table that no backup holds (`keyfiles`). Erasing a patient's key there
erases the voice, wherever a copy of an encrypted file may still lie.

A recording is cut into chunks of a megabyte, each sealed by AES-256-GCM (NIST SP 800-38D) under a nonce that counts
them and marks the last one, so that a file can neither be shortened nor put together anew (the STREAM construction of
Hoang, Reyhanitabar, Rogaway and Vizar, 2015).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from affect_pipeline.errors import JournalError, SettingsError
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"\x8fVOICE1\n"
KEY_BYTES = 32
KEY_ID_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
PREFIX_BYTES = 7
CHUNK_BYTES = 1 << 20
HEADER_BYTES = len(MAGIC) + KEY_ID_BYTES + PREFIX_BYTES


@dataclass(frozen=True, repr=False)
class DataKey:
    """The key of one patient's voice.

    Parameters
    ----------
    key_id : bytes
        What files call it; random.
    secret : bytes
        The key itself.
    """

    key_id: bytes
    secret: bytes


class VoiceKeys:
    """The data keys of an installation, made when they are first needed.

    Parameters
    ----------
    settings : Settings
        Where the warehouse and the master key are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_patient: dict[str, DataKey] = {}
        self._by_id: dict[bytes, DataKey] = {}

    def of_patient(self, patient_key: str) -> DataKey:
        """Return a patient's key; it is made if there is none."""
        if patient_key not in self._by_patient:
            fresh = DataKey(secrets.token_bytes(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES))
            values = {"patient_key": patient_key, "key_id": fresh.key_id, "wrapped": wrap(self._settings, fresh)}
            with self._engine().begin() as connection:
                connection.execute(_query("add_voice_key"), values)
                row = connection.execute(_query("find_key_of_patient"), {"patient_key": patient_key}).one()
            self._by_patient[patient_key] = unwrap(self._settings, bytes(row.key_id), bytes(row.wrapped))
        return self._by_patient[patient_key]

    def by_id(self, key_id: bytes) -> DataKey:
        """Return the key that a file names.

        Raises
        ------
        JournalError
            With reason ``voice_erased``: the key is gone, and with it what it locked.
        """
        if key_id not in self._by_id:
            with self._engine().connect() as connection:
                row = connection.execute(_query("find_key_by_id"), {"key_id": key_id}).one_or_none()
            if row is None:
                raise JournalError("voice_erased", "the key of this recording was erased")
            self._by_id[key_id] = unwrap(self._settings, key_id, bytes(row.wrapped))
        return self._by_id[key_id]

    def _engine(self) -> sa.Engine:
        from affect_pipeline.warehouse.engine import connect

        return connect(self._settings)


def wrap(settings: Settings, key: DataKey) -> bytes:
    """Return a data key sealed under the master key, for the warehouse."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _gcm(_master(settings)).encrypt(nonce, key.secret, key.key_id)


def unwrap(settings: Settings, key_id: bytes, wrapped: bytes) -> DataKey:
    """Return a data key from what `wrap` made of it.

    Raises
    ------
    SettingsError
        If the master key is another one than it was wrapped under.
    """
    from cryptography.exceptions import InvalidTag

    try:
        secret = _gcm(_master(settings)).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id)
    except InvalidTag:
        raise SettingsError(
            "AFFECT_ENCRYPTION_KEY is not the master key that the voices of this warehouse were encrypted under"
        ) from None
    return DataKey(key_id, secret)


def is_encrypted(head: bytes) -> bool:
    """Tell whether a file that begins like this was written by `Sealer`."""
    return head.startswith(MAGIC)


class Sealer:
    """Encrypts a stream into a file, a megabyte at a time.

    Parameters
    ----------
    target : binary file
        Where the encrypted bytes go.
    key : DataKey
        The patient's key.
    """

    def __init__(self, target: IO[bytes], key: DataKey) -> None:
        self._prefix = secrets.token_bytes(PREFIX_BYTES)
        self._header = MAGIC + key.key_id + self._prefix
        self._target, self._gcm = target, _gcm(key.secret)
        self._held, self._n_chunks = bytearray(), 0
        target.write(self._header)

    def write(self, content: bytes) -> None:
        """Take more of the content."""
        self._held += content
        while len(self._held) > CHUNK_BYTES:  # the last chunk is marked, so one is always held back
            self._seal(bytes(self._held[:CHUNK_BYTES]), last=False)
            del self._held[:CHUNK_BYTES]

    def finish(self) -> None:
        """Write what is held back; nothing may follow."""
        self._seal(bytes(self._held), last=True)
        self._held.clear()

    def _seal(self, chunk: bytes, *, last: bool) -> None:
        nonce = _stream_nonce(self._prefix, self._n_chunks, last)
        self._target.write(self._gcm.encrypt(nonce, chunk, self._header))
        self._n_chunks += 1


def open_sealed(source: BinaryIO, keys: VoiceKeys) -> bytes:
    """Return the content of a file that `Sealer` wrote.

    Raises
    ------
    JournalError
        ``voice_erased`` if its key is gone, ``tampered`` if it was changed, shortened or put together anew.
    """
    from cryptography.exceptions import InvalidTag

    header = source.read(HEADER_BYTES)
    key_id = header[len(MAGIC) : len(MAGIC) + KEY_ID_BYTES]
    prefix = header[len(MAGIC) + KEY_ID_BYTES :]
    gcm = _gcm(keys.by_id(key_id).secret)
    parts, n_chunks = [], 0
    chunk = source.read(CHUNK_BYTES + TAG_BYTES)
    try:
        while True:
            following = source.read(CHUNK_BYTES + TAG_BYTES)
            parts.append(gcm.decrypt(_stream_nonce(prefix, n_chunks, not following), chunk, header))
            if not following:
                return b"".join(parts)
            chunk, n_chunks = following, n_chunks + 1
    except (InvalidTag, ValueError):
        raise JournalError("tampered", "the encrypted file was changed after it was written") from None


def seal_samples(samples: npt.NDArray[np.int16], journal_id: str, key: DataKey) -> bytes:
    """Encrypt prepared audio; the same samples give the same bytes, so that a stage done again changes no file.

    The nonce is derived from the content, as in AES-GCM-SIV (RFC 8452): it repeats only where all of it does.
    """
    content = samples.tobytes()
    nonce = hmac.new(key.secret, b"prepared:" + journal_id.encode() + content, hashlib.sha256).digest()[:NONCE_BYTES]
    return key.key_id + nonce + _gcm(key.secret).encrypt(nonce, content, journal_id.encode())


def open_samples(sealed: bytes | memoryview, journal_id: str, keys: VoiceKeys) -> npt.NDArray[np.int16]:
    """Return what `seal_samples` was given.

    Raises
    ------
    JournalError
        ``voice_erased`` or ``tampered``.
    """
    from cryptography.exceptions import InvalidTag

    sealed = memoryview(sealed).cast("B")  # a buffer of Arrow counts signed bytes
    key = keys.by_id(bytes(sealed[:KEY_ID_BYTES]))
    nonce, content = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], sealed[KEY_ID_BYTES + NONCE_BYTES :]
    try:
        return np.frombuffer(_gcm(key.secret).decrypt(nonce, content, journal_id.encode()), np.int16)
    except InvalidTag:
        raise JournalError("tampered", "the prepared audio was changed after it was written") from None


def _stream_nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])


def _master(settings: Settings) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"affect voice keys").derive(settings.master_key())


def _gcm(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _query(name: str) -> sa.TextClause:
    import sqlalchemy as sa

    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"privacy/{name}"))
