"""The C library that this interpreter runs on, and the calls of it that need no file of their own.

It is loaded when the first call is made, and on Linux only: importing this module is allowed everywhere.
"""

from __future__ import annotations

import ctypes
import functools
import os
from typing import TypeAlias

Argument: TypeAlias = "int | bytes | ctypes.Array[ctypes.c_char] | ctypes.Array[ctypes.c_char_p] | None"

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
PR_SET_PTRACER = 0x59616D61  # lets a process trace who is not its descendant, under Yama


@functools.cache
def load_libc() -> ctypes.CDLL:
    """Return the C library. What is declared of its functions holds for all who use it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def last_error(doing: str | None = None) -> OSError:
    """Return an OSError with the C library's errno; its text begins with what was being done, if that is given."""
    number = ctypes.get_errno()
    reason = os.strerror(number)
    return OSError(number, reason if doing is None else f"{doing}: {reason}")


def check(result: int, doing: str | None = None) -> int:
    """Return the result of a call of libc; raise OSError when it is -1."""
    if result == -1:
        raise last_error(doing)
    return result


def call(number: int, *arguments: Argument) -> int:
    """Make a system call by its number and return its result; see syscall(2). Numbers are passed as longs.

    Raises OSError.
    """
    longs = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return check(load_libc().syscall(ctypes.c_long(number), *longs))


def control(option: int, *arguments: int) -> None:
    """Call prctl(2); arguments that are not given are 0. Raises OSError."""
    longs = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    check(load_libc().prctl(ctypes.c_int(option), *longs))


def forbid_new_privileges() -> None:
    """Make set-uid bits and file capabilities of programs without effect from now on; see prctl(2)."""
    control(PR_SET_NO_NEW_PRIVS, 1)
