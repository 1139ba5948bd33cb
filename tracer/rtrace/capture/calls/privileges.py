"""Privileges that a program's file gives, and that the kernel withholds from a traced one: set-uid, capabilities.

See execve(2) and capabilities(7). What a program got is read when it has begun.
"""

from __future__ import annotations

import os
import stat

from rtrace.capture.processes.tracee import Tracee

ATTRIBUTE = "security.capability"
_PERMITTED_LOW, _PERMITTED_HIGH, _WORD = 4, 12, 4  # bytes in struct vfs_cap_data of linux/capability.h
_EFFECTIVE = 1  # of the ids in /proc/PID/status: real, effective, saved, file system


def gives_privileges(path: bytes, status: os.stat_result) -> bool:
    """Whether a program's file is set-uid, set-gid or has capabilities."""
    return bool(status.st_mode & (stat.S_ISUID | stat.S_ISGID)) or bool(read_capabilities(path))


def read_capabilities(path: bytes) -> int:
    """Return the set of capabilities that a file permits."""
    try:
        data = os.getxattr(path, ATTRIBUTE)
    except OSError:  # ENODATA as a rule, ENOTSUP where the file system has no attributes
        return 0
    low, high = (data[begin : begin + _WORD] for begin in (_PERMITTED_LOW, _PERMITTED_HIGH))
    return int.from_bytes(low, "little") | int.from_bytes(high, "little") << 32


def find_lost_privileges(tracee: Tracee, path: bytes) -> str | None:
    """Return the kind of privileges that a program has just begun without, although its file gives them.

    None if it has them, and if it would not have them without rtrace either, because of how the file system is
    mounted or of its bounding set. Raises OSError when it is gone.
    """
    if os.statvfs(path).f_flag & os.ST_NOSUID:
        return None
    with open(f"/proc/{tracee.tid}/status", "rb") as file:
        fields = dict(line.split(b":", 1) for line in file.read().splitlines() if b":" in line)
    status = os.stat(path)
    if status.st_mode & stat.S_ISUID and int(fields[b"Uid"].split()[_EFFECTIVE]) != status.st_uid:
        return "set-uid"
    is_set_gid = status.st_mode & stat.S_ISGID and status.st_mode & stat.S_IXGRP
    if is_set_gid and int(fields[b"Gid"].split()[_EFFECTIVE]) != status.st_gid:
        return "set-uid"
    has, bounds = (int(fields[name], 16) for name in (b"CapPrm", b"CapBnd"))
    return "capabilities" if read_capabilities(path) & bounds & ~has else None
