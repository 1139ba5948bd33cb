"""The system calls that Python 3.10 has no function for. libc is loaded when the first one is used, on Linux only."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Iterable, Sequence
from enum import IntFlag


class Namespace(IntFlag):
    """The namespaces of clone(2) that a replay gets of its own."""

    MOUNT = 0x00020000
    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NET = 0x40000000


class MountFlag(IntFlag):
    """The flags of mount(2) that are used here."""

    READ_ONLY = 0x1
    NO_SETUID = 0x2
    NO_DEVICES = 0x4
    NO_EXECUTION = 0x8
    REMOUNT = 0x20
    BIND = 0x1000
    RECURSIVE = 0x4000
    PRIVATE = 0x40000


NO_FLAGS = MountFlag(0)

MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522


@functools.cache
def load_libc() -> ctypes.CDLL:
    """Return the C library that this interpreter runs on."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    """Raise OSError when a call of libc returned -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(namespaces: Namespace) -> None:
    """Leave the caller's namespaces for new ones; see unshare(2)."""
    check(load_libc().unshare(ctypes.c_int(namespaces)))


def mount(source: bytes | None, target: bytes, filesystem: bytes | None, flags: MountFlag, data: bytes | None) -> None:
    """Attach a file system, or change how one is attached; see mount(2)."""
    check(load_libc().mount(source, target, filesystem, ctypes.c_ulong(flags), data))


def pivot_into(directory: bytes) -> None:
    """Make a mounted directory the root and detach the old root, by the stacking trick of pivot_root(2)."""
    os.chdir(directory)
    check(load_libc().pivot_root(b".", b"."))
    check(load_libc().umount2(b".", ctypes.c_int(MNT_DETACH)))
    os.chdir(b"/")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when the thread that forked it ends; see prctl(2)."""
    control(PR_SET_PDEATHSIG, signal_number)


def forbid_new_privileges() -> None:
    """Make set-uid bits and file capabilities of programs without effect from now on; see prctl(2)."""
    control(PR_SET_NO_NEW_PRIVS, 1)


def hide_from_ptrace() -> None:
    """Keep processes of the same user from attaching to this one or looking into its memory."""
    control(PR_SET_DUMPABLE, 0)


def control(option: int, *arguments: int) -> None:
    """Call prctl(2); arguments that are not given are 0."""
    longs = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    check(load_libc().prctl(ctypes.c_int(option), *longs))


def keep_capabilities(kept: Iterable[int]) -> None:
    """Drop all capabilities but these from what this process and its children can ever have; see capabilities(7)."""
    keep = frozenset(kept)
    for capability in range(64):
        if capability in keep:
            continue
        try:
            control(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EINVAL:  # beyond the last capability this kernel knows
                break
            raise
    control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    clear_inheritable_capabilities()


def clear_inheritable_capabilities() -> None:
    """Empty the inheritable set, which an execution as root would add to the bounding set."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # twice effective, permitted, inheritable: the low and the high 32 bits
    check(load_libc().capget(header, data))
    data[2] = data[5] = 0
    check(load_libc().capset(header, data))


def execute(binary: bytes, argv: Sequence[bytes], environ: Sequence[bytes]) -> None:
    """Replace this process by a program; unlike os.execve, any byte strings will do as environment."""
    argument_array = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    environ_array = (ctypes.c_char_p * (len(environ) + 1))(*environ, None)
    check(load_libc().execve(binary, argument_array, environ_array))
