"""Collected recordings, each in a file named by the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from affect_pipeline.errors import DecodeError, JournalError
from affect_pipeline.journals.formats import SNIFFED_BYTES

if TYPE_CHECKING:
    from affect_pipeline.privacy.encryption import VoiceKeys
    from affect_pipeline.settings import Settings

CHUNK_BYTES = 1 << 20
STALE_AFTER_S = 24 * 3600.0
"""No copy takes that long: what is still incoming then was left by a process that died."""


@dataclass(frozen=True)
class Stored:
    """A recording that was taken in.

    Parameters
    ----------
    journal_id : str
        SHA-256 of its bytes.
    n_bytes : int
        Its size.
    head : bytes
        Its first 4096 bytes.
    """

    journal_id: str
    n_bytes: int
    head: bytes


class RawStore:
    """A folder of recordings, addressed by content.

    Parameters
    ----------
    folder : Path
        Where they are; made on first use.
    keys : VoiceKeys, optional
        Opens recordings that are encrypted.
    encrypt : bool
        Whether recordings are encrypted from now on; needs `keys`.
    """

    def __init__(self, folder: Path, keys: VoiceKeys | None = None, encrypt: bool = False) -> None:
        self.folder, self.keys, self.encrypt = folder, keys, encrypt

    @classmethod
    def of(cls, settings: Settings) -> RawStore:
        """Return the store of an installation. Recordings that are encrypted can be read whatever the settings."""
        from affect_pipeline.privacy.encryption import VoiceKeys

        return cls(settings.raw_dir, VoiceKeys(settings), settings.encrypt_audio)

    def path(self, journal_id: str) -> Path:
        """Return where a recording is, or would be."""
        return self.folder / journal_id[:2] / journal_id

    def __contains__(self, journal_id: str) -> bool:
        return self.path(journal_id).is_file()

    def read(self, journal_id: str) -> bytes:
        """Return the bytes of a recording.

        Raises
        ------
        FileNotFoundError
            If it is not here.
        JournalError
            ``voice_erased`` if the key of an encrypted recording is gone, ``tampered`` if its file was changed.
        """
        from affect_pipeline.privacy.encryption import is_encrypted, open_sealed

        with self.path(journal_id).open("rb") as file:
            if self.keys is None or not is_encrypted(file.read(SNIFFED_BYTES)):
                return self.path(journal_id).read_bytes()
            file.seek(0)
            content = open_sealed(file, self.keys)
        if hashlib.sha256(content).hexdigest() != journal_id:
            raise JournalError("tampered", "the encrypted file holds another recording")
        return content

    def put(self, source: BinaryIO, max_bytes: int, patient_key: str = "") -> Stored:
        """Copy a recording into the store.

        Parameters
        ----------
        source : binary file
            Read to its end, once, a megabyte at a time.
        max_bytes : int
            Largest recording that is kept.
        patient_key : str
            Whose key it is encrypted under, if the store encrypts.

        Returns
        -------
        Stored

        Raises
        ------
        DecodeError
            With reason ``empty_file`` or ``too_large``; then nothing is kept.
        """
        digest, n_bytes, head = hashlib.sha256(), 0, bytearray()
        with self._incoming() as (target, keep):
            write, finish = self._writer(target, patient_key)
            while chunk := source.read(CHUNK_BYTES):
                n_bytes += len(chunk)
                if n_bytes > max_bytes:
                    raise DecodeError("too_large", f"more than {max_bytes} bytes")
                head += chunk[: SNIFFED_BYTES - len(head)]
                digest.update(chunk)
                write(chunk)
            if not n_bytes:
                raise DecodeError("empty_file", "the file has no bytes")
            finish()
            keep(digest.hexdigest())
        return Stored(digest.hexdigest(), n_bytes, bytes(head))

    def sweep(self, now_s: float) -> int:
        """Remove what processes that died left half-copied.

        Parameters
        ----------
        now_s : float
            The time, in seconds since 1970.

        Returns
        -------
        int
            Files removed.
        """
        stale = [path for path in self._incoming_folder.glob("*") if now_s - path.stat().st_mtime > STALE_AFTER_S]
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)

    def remove(self, journal_id: str) -> bool:
        """Remove a recording; return whether it was here."""
        path = self.path(journal_id)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _writer(self, target: BinaryIO, patient_key: str) -> tuple[Callable[[bytes], object], Callable[[], None]]:
        if not self.encrypt or self.keys is None:
            return target.write, lambda: None
        from affect_pipeline.privacy.encryption import Sealer

        sealer = Sealer(target, self.keys.of_patient(patient_key))
        return sealer.write, sealer.finish

    @property
    def _incoming_folder(self) -> Path:
        return self.folder / "incoming"

    @contextmanager
    def _incoming(self) -> Iterator[tuple[BinaryIO, Callable[[str], None]]]:
        """Open a file that becomes a recording when ``keep`` names it, and goes away if nothing does."""
        self._incoming_folder.mkdir(parents=True, exist_ok=True)
        temporary = self._incoming_folder / secrets.token_hex(12)

        def keep(journal_id: str) -> None:
            target.flush()
            os.fsync(target.fileno())
            self.path(journal_id).parent.mkdir(exist_ok=True)
            temporary.replace(self.path(journal_id))

        try:
            with temporary.open("xb") as target:
                yield target, keep
        finally:
            temporary.unlink(missing_ok=True)
