"""Which errors mean that there is nothing to note, and which that rtrace could not look.

A bad pointer (EFAULT) and a process or file that is gone mean that there is nothing to note. Any other error of the
tracer's says nothing about the program, which may use what is there, unless both have the same rights.
"""

from __future__ import annotations

import errno
import os

VANISHED = frozenset({errno.ENOENT, errno.ESRCH, errno.ENOTDIR, errno.EFAULT, errno.EINVAL})
"""There is nothing, or there is nothing any more: EINVAL is readlink(2)'s word for what is no symlink now."""
MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})
REFUSED = frozenset({errno.EACCES, errno.EPERM})
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
NAME_MAX = 255  # linux/limits.h
PROC = b"/proc/"
_RIGHTS = (b"Uid:", b"Gid:", b"Groups:", b"CapEff:")


class ServedError(PermissionError):
    """A file is in a filesystem that the run itself serves; that was told when it was mounted."""


def means_nothing(error: OSError) -> bool:
    """Whether an error of looking at a call's arguments means that there is nothing to note."""
    if error.errno in VANISHED or isinstance(error, ServedError):
        return True
    return error.errno == errno.EIO and error.filename is None  # a page of /proc/PID/mem that is not there


def is_nothing_for_anybody(error: OSError) -> bool:
    """Whether an error means that nothing is there, as far as a user without rights can tell.

    Only special filesystems, such as those of a network, refuse root anything.
    """
    return error.errno in MISSING or (error.errno in REFUSED and os.geteuid() != 0)


def is_missing(error: OSError, path: bytes, tid: int) -> bool:
    """Whether a program that meets this error's path sees no file there, either."""
    if error.errno in MISSING:
        return True
    if error.errno == errno.ENAMETOOLONG:
        return len(path.rpartition(b"/")[2]) > NAME_MAX
    return error.errno in REFUSED and has_same_rights(tid)


def has_same_rights(tid: int) -> bool:
    """Whether a thread is the same user as the tracer, with the same groups and capabilities.

    Then it is refused what the tracer is refused. See /proc/PID/status in proc(5).
    """
    try:
        return read_rights(os.getpid()) == read_rights(tid)
    except OSError:
        return False


def read_rights(tid: int) -> list[bytes]:
    """Read the lines of /proc/TID/status that tell a thread's rights. Raises OSError."""
    with open(f"/proc/{tid}/status", "rb") as file:
        return [line for line in file.read().splitlines() if line.startswith(_RIGHTS)]


def is_inside_process(error: OSError) -> bool:
    """Whether what could not be looked at is a process, by its files in proc(5)."""
    path = os.fsencode(error.filename or b"")
    return path.startswith(PROC) and path[len(PROC) : len(PROC) + 1].isdigit()


def describe_unobserved(program: str, error: OSError) -> tuple[str, str]:
    """Return what could not be looked at, and what to do about it."""
    reason = os.strerror(error.errno or 0)
    if error.errno in NO_ROOM:
        what = f"{program} used files while rtrace could not look at them ({reason})"
        return what, "raise the limits of this machine or shell (`ulimit -a`), and trace again"
    if error.errno == errno.ENAMETOOLONG:
        what = f"{program} used files in a folder whose path is longer than the kernel tells ({reason})"
        return what, "work in a folder with a shorter path"
    if is_inside_process(error):
        what = f"{program} used files while rtrace could not look into it ({reason})"
        return what, "trace as root, or in a container with the capability SYS_PTRACE"
    name = os.fsencode(error.filename or b"what it was handed").decode(errors="backslashreplace")
    if error.errno in REFUSED:
        return f"{program} used {name}, at which rtrace may not look ({reason})", "trace as the user who may"
    what = f"{program} used {name}, at which rtrace could not look ({reason})"
    return what, "see to it that its file system answers, and trace again"
