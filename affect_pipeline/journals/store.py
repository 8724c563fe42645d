"""Collected recordings, each in a file named by the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from affect_pipeline.errors import DecodeError
from affect_pipeline.journals.formats import SNIFFED_BYTES

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
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, journal_id: str) -> Path:
        """Return where a recording is, or would be."""
        return self.folder / journal_id[:2] / journal_id

    def __contains__(self, journal_id: str) -> bool:
        return self.path(journal_id).is_file()

    def put(self, source: BinaryIO, max_bytes: int) -> Stored:
        """Copy a recording into the store.

        Parameters
        ----------
        source : binary file
            Read to its end, once, a megabyte at a time.
        max_bytes : int
            Largest recording that is kept.

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
            while chunk := source.read(CHUNK_BYTES):
                n_bytes += len(chunk)
                if n_bytes > max_bytes:
                    raise DecodeError("too_large", f"more than {max_bytes} bytes")
                head += chunk[: SNIFFED_BYTES - len(head)]
                digest.update(chunk)
                target.write(chunk)
            if not n_bytes:
                raise DecodeError("empty_file", "the file has no bytes")
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
