"""Taking system calls away from the present process and all that it starts, for good (seccomp).

A decoder needs memory, the descriptors it was given and, for some formats, ffmpeg. What it never needs, and what
kernels are broken by, fails here with EPERM, whatever the machine allows otherwise: sockets, other processes' memory,
mounts, namespaces, kernel modules, BPF, key rings, io_uring, programs out of memory.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EPERM
# Instructions of classic BPF, see linux/filter.h: load a word, jump if equal, jump if greater or equal, return.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # in struct seccomp_data
_X32_CALLS = 0x4000_0000
"""x86-64 knows every call a second time from here on; nothing of ours uses those."""

_COLUMNS = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}
"""Column of `DENIED`, and what the kernel calls the architecture (AUDIT_ARCH_*)."""

DENIED = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "socketpair": (53, 199),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "syslog": (103, 116),
    "personality": (135, 92),
    "memfd_create": (319, 279),
    "execveat": (322, 281),
}
"""Numbers of the calls on x86-64 and on 64-bit ARM: asm/unistd_64.h and asm-generic/unistd.h of the kernel."""

_EXECVE = (59, 221)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def deny_system_calls(*, programs: bool) -> bool:
    """Let the calls above fail with EPERM from now on, in this process and all that it starts.

    Parameters
    ----------
    programs : bool
        Whether programs may still be started.

    Returns
    -------
    bool
        Whether it was done; False on other architectures and where the kernel or the container does not allow it.
    """
    if platform.system() != "Linux" or platform.machine() not in _COLUMNS:
        return False
    column, architecture = _COLUMNS[platform.machine()]
    numbers = [pair[column] for pair in (*DENIED.values(), *(() if programs else (_EXECVE,)))]
    code = _filter(numbers, architecture)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    done: int = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    return done == 0


def _filter(numbers: list[int], architecture: int) -> bytes:
    """Return the program that the kernel runs at each call: 8 bytes an instruction, refusal at its end."""
    n_left = len(numbers)
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 0, n_left + 3, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_AT_LEAST, n_left + 1, 0, _X32_CALLS),
        *((_IF_EQUAL, n_left - i, 0, number) for i, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
