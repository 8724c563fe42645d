"""Which system user the embedded PostgreSQL runs as.

PostgreSQL refuses to run as root. Started by root, the server runs as the owner of the home, or in a home of root's as
the system user ``affect-pg`` (made on first use). That user is let through the folders above the data by an
access-control entry for it alone; the folders stay closed to everybody else. Any other user runs the server as itself.
"""

from __future__ import annotations

import os
import pwd
import stat
import struct
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from affect_pipeline.errors import StackError

SYSTEM_USER = "affect-pg"

# POSIX access-control lists as Linux keeps them in an extended attribute: a version, then (tag, permissions, id).
_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_ENTRY = struct.Struct("<HHI")
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_EXECUTE = 1


@dataclass(frozen=True)
class ServerUser:
    """The system user of the server; ``uid`` is None when it is the user of this process."""

    uid: int | None = None
    gid: int | None = None

    def as_subprocess(self) -> dict[str, Any]:
        """Return the arguments that make `subprocess.run` switch to this user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder (not what is in it) to this user, and let it get there."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid if self.gid is not None else -1)
            self.may_enter(path.parent)

    def may_enter(self, folder: Path) -> None:
        """Let this user pass through a folder and those above it, and nobody else.

        Raises
        ------
        StackError
            If a folder is closed and its file system keeps no access-control lists.
        """
        if self.uid is None:
            return
        for above in (folder, *folder.parents):
            if not self._passes(above):
                _let_pass(above, self.uid)

    def may_run(self, programs: Path) -> None:
        """Let this user run the programs of a folder, which a narrow umask at installation time may have closed."""
        if self.uid is None:
            return
        self.may_enter(programs)
        if (programs / "postgres").stat().st_mode & stat.S_IXOTH:
            return
        for path in (programs.parent, *programs.parent.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))

    def _passes(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        return bool(status.st_mode & stat.S_IXOTH)


def server_user(data_dir: Path) -> ServerUser:
    """Return the user that the server of a data folder runs as.

    Started by root, that is whom the data, or the home it will be made in, belongs to; in root's own homes it is the
    system user ``affect-pg``, made on first use.

    Raises
    ------
    StackError
        If that user is needed and cannot be made.
    """
    if os.geteuid() != 0:
        return ServerUser()
    owner = (data_dir if data_dir.exists() else data_dir.parent).stat()
    return ServerUser(owner.st_uid, owner.st_gid) if owner.st_uid != 0 else _system_user()


def keep_owner(path: Path) -> None:
    """Give a file that root made in somebody's folder to whom the folder belongs, who will need it again."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


@lru_cache(maxsize=1)
def _system_user() -> ServerUser:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _make_user()
        entry = pwd.getpwnam(SYSTEM_USER)
    return ServerUser(entry.pw_uid, entry.pw_gid)


def _make_user() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said, failed = done.stderr.strip(), done.returncode != 0
    except FileNotFoundError:
        said, failed = "useradd is not installed", True
    try:
        pwd.getpwnam(SYSTEM_USER)  # another process may have been first
    except KeyError:
        if failed:
            raise StackError(
                f"PostgreSQL does not run as root, and the user {SYSTEM_USER} could not be made ({said}). "
                "Run as an ordinary user, or set AFFECT_WAREHOUSE_URL."
            ) from None


def _let_pass(folder: Path, uid: int) -> None:
    """Add "user ``uid`` may pass" to the access-control list of a folder."""
    entries = _entries(folder)
    group = next(permissions for tag, permissions, _ in entries if tag == _GROUP)
    mask = next((permissions for tag, permissions, _ in entries if tag == _MASK), group)
    kept = [entry for entry in entries if entry[0] != _MASK and (entry[0] != _USER or entry[2] != uid)]
    kept += [(_USER, _EXECUTE, uid), (_MASK, mask | _EXECUTE, _NO_ID)]
    packed = b"".join(_ENTRY.pack(*entry) for entry in sorted(kept, key=lambda entry: (entry[0], entry[2])))
    try:
        os.setxattr(folder, _ACL, struct.pack("<I", _ACL_VERSION) + packed)
    except OSError as error:
        raise StackError(
            f"PostgreSQL does not run as root but as {SYSTEM_USER}, which may not pass through {folder} "
            f"({error.strerror}). Run as an ordinary user, point AFFECT_HOME elsewhere, or `chmod o+x {folder}`."
        ) from error


def _entries(folder: Path) -> list[tuple[int, int, int]]:
    try:
        raw = os.getxattr(folder, _ACL)[4:]
    except OSError:  # no list yet: the mode bits say the same
        mode = folder.stat().st_mode
        return [(_OWNER, mode >> 6 & 7, _NO_ID), (_GROUP, mode >> 3 & 7, _NO_ID), (_OTHER, mode & 7, _NO_ID)]
    return [_ENTRY.unpack_from(raw, offset) for offset in range(0, len(raw), _ENTRY.size)]
