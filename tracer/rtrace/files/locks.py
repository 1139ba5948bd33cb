"""Locks on folders: an flock(2) on a file in them, which the kernel releases when its holder dies."""

from __future__ import annotations

import contextlib
import os
import stat
from types import TracebackType

from rtrace.errors import BusyError

LOCK_FILE = "rtrace.lock"
"""In each folder that rtrace locks: empty, or the process id of who locked it last."""

_FIRST_DESCRIPTOR = 3  # below are the standard streams, which programs inherit
_LONGEST_PID = 20


class Lock:
    """A lock that is held until it is released, or until the process ends. Programs that are started do not inherit it.

    ``descriptor`` is None where there was nothing to lock: the file system has no locks, or the folder is read-only.
    """

    def __init__(self, descriptor: int | None) -> None:
        self.descriptor = descriptor

    def release(self) -> None:
        """Release the lock."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


NO_LOCK = Lock(None)


def lock_folder(folder: int, name: str, *, shared: bool = False) -> Lock:
    """Lock an open folder, which errors call ``name``, against everybody, or ``shared`` against writers only.

    Raises BusyError when somebody else has it; it never waits.
    """
    descriptor = open_lock_file(folder, create=True)
    if descriptor is None:
        return Lock(None)
    try:
        locked = try_lock(descriptor, shared=shared)
    except BlockingIOError:
        holder = read_holder(descriptor)
        os.close(descriptor)
        who = f"process {holder}" if holder else "another process"
        raise BusyError(f"{name} is in use by {who} of rtrace; wait until that has ended, or end it") from None
    if not locked:
        os.close(descriptor)
        return Lock(None)
    note_holder(descriptor)
    return Lock(descriptor)


def open_lock_file(folder: int, *, create: bool) -> int | None:
    """Open the lock file of a folder, following no symlink; None where there is no regular file."""
    ways = [os.O_RDWR | os.O_CREAT, os.O_RDWR, os.O_RDONLY] if create else [os.O_RDWR]
    for way in ways:
        with contextlib.suppress(OSError):
            descriptor = os.open(LOCK_FILE, way | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return move_up(descriptor)
            os.close(descriptor)
            return None
    return None


def move_up(descriptor: int) -> int:
    """Return a descriptor a number that is no standard stream's."""
    if descriptor >= _FIRST_DESCRIPTOR:
        return descriptor
    import fcntl

    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_DESCRIPTOR)
    os.close(descriptor)
    return moved


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return False where the file system has no locks.

    Raises BlockingIOError when somebody else has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # ENOLCK, EOPNOTSUPP, EBADF: a network file system without locks, or one that cannot share them
        return False
    return True


def read_holder(descriptor: int) -> int | None:
    """Return the id of a process that has locked a file, as far as one can see.

    It is in the file, but for a moment after the lock was taken; the kernel's list knows other file systems' files too.
    """
    status = os.fstat(descriptor)
    numbers = [os.pread(descriptor, _LONGEST_PID, 0), *list_lockers(status.st_ino)]
    for number in numbers:
        with contextlib.suppress(OSError, ValueError):
            if has_open(int(number), status):
                return int(number)
    return None


def list_lockers(inode: int) -> list[bytes]:
    """Return the ids of the processes that hold an flock on a file of this number; see /proc/locks in proc(5)."""
    try:
        with open("/proc/locks", "rb") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [words[4] for words in lines if words[1] == b"FLOCK" and words[5].rpartition(b":")[2] == b"%d" % inode]


def has_open(pid: int, status: os.stat_result) -> bool:
    """Whether a process has a file open; a number may mean another process here than in its writer's container.

    Of another user's process one cannot see that, so it is believed. Raises OSError when there is none.
    """
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        return True
    for name in names:
        with contextlib.suppress(OSError):  # it was closed meanwhile
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{name}"), status):
                return True
    return False


def note_holder(descriptor: int) -> None:
    """Write this process's id into a lock file that is this user's alone."""
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() and status.st_nlink == 1:
        with contextlib.suppress(OSError):  # EBADF: opened for reading only; a full disk
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
