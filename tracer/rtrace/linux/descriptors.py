"""Descriptors: copied from another process, compared, and the contents of one shared with or copied to another."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from rtrace.linux.interfaces import own_interface
from rtrace.linux.libc import check, last_error, load_libc

FICLONE = 0x40049409  # ioctl_ficlone(2)
SPLICE_F_NONBLOCK = 2  # splice(2)
PIDFD_OPEN, PIDFD_GETFD = 434, 438  # calls with the same number on every architecture
GETDENTS64 = {"x86_64": 217, "i386": 220, "aarch64": 61, "arm": 217}
ENTRY_HEAD = struct.Struct("=QqHB")  # struct linux_dirent64: inode, offset, length, type; then the name
ENTRIES = 1 << 16  # bytes that are read at once
KCMP_FILE = 0
KCMP_NUMBER = {"x86_64": 312, "i386": 349, "aarch64": 272, "arm": 378}


def take_descriptor(pid: int, number: int) -> int:
    """Copy a descriptor of a tracee into this process, see pidfd_getfd(2), Linux 5.6. Raises OSError."""
    syscall = load_libc().syscall
    process: int = syscall(PIDFD_OPEN, pid, 0)
    if process < 0:
        raise last_error(f"pidfd_open of process {pid}")
    try:
        copy: int = syscall(PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if copy < 0:
        raise last_error(f"pidfd_getfd of process {pid}")
    return copy


def are_one_file(one: int, other: int) -> bool:
    """Whether two descriptors are of one open file, which has one offset; False where kcmp(2) is missing."""
    process = os.getpid()
    return bool(load_libc().syscall(KCMP_NUMBER[own_interface()], process, process, KCMP_FILE, one, other) == 0)


def tee(source: int, target: int, count: int) -> int:
    """Copy what is in a pipe to another without taking it out; return how many bytes, 0 when that would have to wait.

    See tee(2). Raises OSError.
    """
    libc = load_libc()
    libc.tee.restype = ctypes.c_ssize_t
    done: int = libc.tee(source, target, ctypes.c_size_t(count), ctypes.c_uint(SPLICE_F_NONBLOCK))
    if done < 0:
        error = last_error()
        if error.errno not in (errno.EAGAIN, errno.EPIPE):
            raise error
        return 0
    return done


class Entry(NamedTuple):
    """An entry of a folder as the kernel has it; ``kind`` is a DT_* of readdir(3)."""

    inode: int
    kind: int
    name: bytes


def list_entries(descriptor: int) -> Iterator[Entry]:
    """Yield the entries of an open folder, from its beginning. Raises OSError."""
    number = GETDENTS64[own_interface()]
    buffer = ctypes.create_string_buffer(ENTRIES)
    os.lseek(descriptor, 0, os.SEEK_SET)
    while size := check(load_libc().syscall(number, descriptor, buffer, ENTRIES)):
        data, offset = buffer.raw[:size], 0
        while offset < size:
            inode, _, length, kind = ENTRY_HEAD.unpack_from(data, offset)
            yield Entry(inode, kind, data[offset + ENTRY_HEAD.size : offset + length].partition(b"\0")[0])
            offset += length
