"""Taking rights away from the present process, for good: what a decoder of hostile files does first.

Everything here is done by the process to itself, before it reads a byte that somebody else wrote, and cannot be taken
back. What the kernel or the container does not allow is reported, not hidden: see `Confinement`.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from affect_pipeline.journals.syscalls import deny_system_calls

_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_PR_SET_NO_NEW_PRIVS = 38
# The same numbers on every architecture, see landlock_create_ruleset(2) and the two after it.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1, 4, 8
_ALL_OF_ABI_1 = (1 << 13) - 1
_ASK_FOR_ABI, _ABI_OF_TCP, _ABI_OF_SCOPES = 1, 4, 6
_TCP, _SIGNALS_AND_ABSTRACT_SOCKETS = 3, 3
MOST_OPEN_FILES = 64
WITH_FFMPEG = "with-ffmpeg"
"""The kind of decoder that may start programs."""


@dataclass(frozen=True)
class Confinement:
    """What could be taken away.

    Parameters
    ----------
    network : bool
        Whether the process has no network (a network namespace of its own, with nothing in it).
    files : bool
        Whether it can open programs and libraries only, read-only (Landlock).
    system_calls : bool
        Whether system calls that no decoder needs are refused (seccomp, see `syscalls`).
    """

    network: bool
    files: bool
    system_calls: bool


def confine(readable: Iterable[Path], *, programs: bool = False) -> Confinement:
    """Give up the network, all files but some, signals to others, many system calls, core dumps and new privileges.

    Parameters
    ----------
    readable : Iterable[Path]
        Folders and files that stay readable and executable.
    programs : bool
        Whether programs may still be started.

    Returns
    -------
    Confinement
    """
    libc = ctypes.CDLL(None, use_errno=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_OPEN_FILES, MOST_OPEN_FILES))
    # A user namespace lets ordinary users have a network namespace of their own.
    network = libc.unshare(_CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0
    files = keep_reading_only(readable, apart=True)
    return Confinement(network, files, deny_system_calls(programs=programs))


def keep_reading_only(readable: Iterable[Path], *, apart: bool = False) -> bool:
    """Give up all files but some, which stay readable and executable, and all new privileges.

    Parameters
    ----------
    readable : Iterable[Path]
        Folders and files that stay readable and executable.
    apart : bool
        Whether to give up TCP and signals to other processes as well, where the kernel knows how.

    Returns
    -------
    bool
        Whether the kernel knows Landlock; if not, nothing was given up but new privileges.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and _read_only(libc, readable, apart)


def program_files() -> list[Path]:
    """Return where Python, its packages, libraries and programs such as ffmpeg are."""
    system = [Path(name) for name in ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/null")]
    # Of a checkout only the package: state and secrets may lie beside it.
    python = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[1]]
    python += [Path(name) for name in sys.path if Path(name).name in ("site-packages", "dist-packages")]
    return [path.resolve() for path in (*system, *python) if path.exists()]


class _RulesetAttr(ctypes.Structure):
    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def _read_only(libc: ctypes.CDLL, readable: Iterable[Path], apart: bool) -> bool:
    if platform.system() != "Linux":
        return False
    abi = libc.syscall(_CREATE_RULESET, None, 0, _ASK_FOR_ABI)
    attributes = _RulesetAttr(
        _ALL_OF_ABI_1,
        _TCP if apart and abi >= _ABI_OF_TCP else 0,
        _SIGNALS_AND_ABSTRACT_SOCKETS if apart and abi >= _ABI_OF_SCOPES else 0,
    )
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    if ruleset < 0:
        return False
    for path in readable:
        with suppress(OSError):  # what cannot be opened now cannot be opened later either
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rights = _EXECUTE | _READ_FILE | (_READ_DIR if path.is_dir() else 0)
            rule = _PathBeneathAttr(rights, parent)
            libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
            os.close(parent)
    done: int = libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    return done == 0


def limit_this_file(memory_bytes: int, cpu_s: float) -> None:
    """Bound the memory of this process, and the CPU time that it may take from now on.

    Over the memory an allocation fails; over the time the kernel ends the process.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, resource.RLIM_INFINITY))
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime + cpu_s) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
