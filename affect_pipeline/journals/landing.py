"""The landing zone: where apps leave recordings, on any file system that fsspec knows.

Layout: ``<root>/<date of arrival>/<source patient id>/<name>.<extension>`` with a sidecar
``<name>.json`` beside it. A JSON file with no recording beside it may hold a questionnaire. Nothing here is ever
written to, and nothing deleted but by an erasure that is asked to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from affect_pipeline.errors import JournalError, LandingZoneUnavailable

SIDECAR_SUFFIX = ".json"
LOCAL = "file"


@dataclass(frozen=True)
class Delivery:
    """A recording that lies in the landing zone.

    Parameters
    ----------
    night : date
        Date of arrival.
    source_id : str
        The patient's identifier there. It goes no further than `identity.Pseudonyms`.
    path : str
        Where the file system finds it.
    relative_path : str
        Path under the root, with forward slashes.
    n_bytes : int or None
        Size as listed, if the listing says.
    sidecar_path : str or None
        Where its sidecar is, if there is one.
    outside : bool
        Whether it is a link that leaves the landing zone.
    """

    night: date
    source_id: str = field(repr=False)
    path: str = field(repr=False)
    relative_path: str = field(repr=False)
    n_bytes: int | None
    sidecar_path: str | None = field(repr=False)
    outside: bool = False

    @property
    def sidecar_relative_path(self) -> str | None:
        """Path of the sidecar under the root."""
        if self.sidecar_path is None:
            return None
        return _stem(self.relative_path) + PurePosixPath(self.sidecar_path).suffix


@dataclass(frozen=True)
class Arrivals:
    """What arrived on one night, in the order of the paths.

    Parameters
    ----------
    recordings : list of Delivery
        Recordings, each with its sidecar.
    loose : list of Delivery
        JSON files that are no recording's sidecar.
    """

    recordings: list[Delivery]
    loose: list[Delivery]


@dataclass(frozen=True)
class _File:
    path: str
    n_bytes: int | None
    outside: bool


class LandingZone:
    """A landing zone that can be reached.

    Parameters
    ----------
    url : str
        Any fsspec URL: a folder, ``s3://bucket/prefix``, ...

    Raises
    ------
    LandingZoneUnavailable
        If the root cannot be listed.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        self._shown_url = re.sub(r"//[^/@]*@", "//", url)
        try:
            self.file_system, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise self._unavailable(error) from error
        self.is_local = LOCAL in (
            self.file_system.protocol if isinstance(self.file_system.protocol, tuple) else (self.file_system.protocol,)
        )
        self._root = os.path.realpath(root) if self.is_local else str(root).rstrip("/")
        self.check()

    def check(self) -> None:
        """Ask for the root again.

        Raises
        ------
        LandingZoneUnavailable
            If it cannot be listed (any more).
        """
        self.file_system.invalidate_cache()
        try:
            if self.is_local:
                os.scandir(self._root).close()
            else:
                self.file_system.ls(self._root, detail=False)
        except Exception as error:  # every file system has errors of its own
            raise self._unavailable(error) from error

    def deliveries(self, night: date) -> list[Delivery]:
        """List the recordings that arrived on one night; as `arrivals`."""
        return self.arrivals(night).recordings

    def arrivals(self, night: date) -> Arrivals:
        """List what arrived on one night, in the order of the paths.

        Parameters
        ----------
        night : date
            Date of arrival; a date without a folder is a night on which nothing arrived.

        Returns
        -------
        Arrivals
            All files in a patient's folder but hidden ones. What lies beside the patients' folders belongs to nobody
            and is left where it is.

        Raises
        ------
        LandingZoneUnavailable
            If the listing fails.
        """
        folder = f"{self._root}/{night.isoformat()}"
        try:
            files = list(self._walk_local(folder) if self.is_local else self._find(folder))
        except Exception as error:
            raise self._unavailable(error) from error
        sidecars = {_stem(file.path): file for file in files if _is_sidecar(file.path)}
        recordings = sorted((file for file in files if not _is_sidecar(file.path)), key=lambda file: file.path)
        taken = {_stem(file.path) for file in recordings}
        loose = sorted((file for stem, file in sidecars.items() if stem not in taken), key=lambda file: file.path)
        found = (self._delivery(night, file, sidecars.get(_stem(file.path))) for file in recordings)
        alone = (self._delivery(night, file, file) for file in loose)
        return Arrivals(*([delivery for delivery in some if delivery is not None] for some in (found, alone)))

    def patient_folders(self) -> list[str]:
        """List the folders of all patients on all nights; each ends in the patient's identifier."""
        nights = [folder for folder in self._folders(self._root) if _is_night(folder)]
        return [folder for night in nights for folder in self._folders(night)]

    def count_recordings(self, folder: str) -> int:
        """Count the files of a folder that are no sidecars."""
        return sum(not _is_sidecar(path) for path in self.file_system.find(folder))

    def remove_folder(self, folder: str) -> None:
        """Remove a patient's folder of one night: what an erasure may be asked to do, and nothing else does."""
        self.file_system.rm(folder, recursive=True)

    def _folders(self, folder: str) -> list[str]:
        self.file_system.invalidate_cache()
        entries = self.file_system.ls(folder, detail=True)
        return sorted(str(entry["name"]).rstrip("/") for entry in entries if entry["type"] == "directory")

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading.

        Raises
        ------
        JournalError
            With reason ``unreadable``, also when a later read fails.
        """
        return cast(BinaryIO, _Reader(self, path))

    def open_raw(self, path: str) -> BinaryIO:
        """Open a file for reading; raises what the file system raises."""
        return Path(path).open("rb") if self.is_local else cast(BinaryIO, self.file_system.open(path, "rb"))

    def _delivery(self, night: date, file: _File, sidecar: _File | None) -> Delivery | None:
        relative = PurePosixPath(os.path.relpath(file.path, self._root))
        if len(relative.parts) < 3 or relative.name.startswith("."):
            return None
        return Delivery(
            night=night,
            source_id=relative.parts[1],
            path=file.path,
            relative_path=str(relative),
            n_bytes=file.n_bytes,
            sidecar_path=sidecar.path if sidecar and not sidecar.outside else None,
            outside=file.outside,
        )

    def _walk_local(self, folder: str) -> Iterator[_File]:
        """Walk without following links to folders: they could lead out, or in circles."""
        for parent, _, names in os.walk(folder, onerror=_raise_unless_missing(folder)):
            for name in names:
                path = Path(parent, name)
                # A link may point to a file in the landing zone, and to nothing else.
                outside = not path.resolve().is_relative_to(self._root)
                regular = outside or path.is_file() or not path.exists()
                if regular:
                    yield _File(str(path), None if outside else _size(path), outside)

    def _find(self, folder: str) -> Iterator[_File]:
        entries: dict[str, dict[str, Any]] = self.file_system.find(folder, detail=True)
        for path, entry in entries.items():
            yield _File(path, entry.get("size"), outside=False)

    def _unavailable(self, error: Exception) -> LandingZoneUnavailable:
        return LandingZoneUnavailable(f"the landing zone {self._shown_url}", "AFFECT_LANDING_URL", without_paths(error))


class _Reader:
    """A file whose errors are told apart from those of the disk that a copy is written to."""

    def __init__(self, zone: LandingZone, path: str) -> None:
        self._zone = zone
        with self._translated():
            self._file: BinaryIO = zone.open_raw(path)

    def read(self, n_bytes: int = -1) -> bytes:
        with self._translated():
            return bytes(self._file.read(n_bytes))

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # every file system has errors of its own
            self._zone.check()  # if all of it is gone, that is no fault of this file
            raise JournalError("unreadable", f"the file could not be read ({without_paths(error)})") from error


def _is_night(folder: str) -> bool:
    try:
        date.fromisoformat(folder.rpartition("/")[2])
    except ValueError:
        return False
    return True


def _is_sidecar(path: str) -> bool:
    return path.lower().endswith(SIDECAR_SUFFIX)


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None  # it went away after it was listed; reading it will say so


def _raise_unless_missing(folder: str) -> Any:
    def handle(error: OSError) -> None:
        # A patient's folder that cannot be read is theirs alone; that of the night is everybody's.
        if error.filename == folder and not isinstance(error, FileNotFoundError):
            raise error

    return handle


def without_paths(error: Exception) -> str:
    """Describe an error without its message, which may hold names of patients or credentials."""
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else ""
    return f"{type(error).__name__}{': ' if reason else ''}{reason}"
