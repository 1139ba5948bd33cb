"""Folders in which something is made: private, locked while their maker lives, and gone afterwards.

A maker that is killed leaves its folder behind. It is told from one in use by its lock, never by its age: the kernel
lets go of the lock when the maker dies. The lock file goes last, so that a removal that is killed can go on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from rtrace.errors import BusyError
from rtrace.files.folders import directory_flags, has_descriptors
from rtrace.files.locks import LOCK_FILE, Lock, lock_folder
from rtrace.files.removing import remove_below
from rtrace.files.renaming import rename_new
from rtrace.interrupts import lifted, shielded

INCOMPLETE = ".incomplete-"
REMOVED = ".removed-"
TARGET_IN_THE_MAKING = ".rtrace-incomplete-"
TEMPORARY = ("audit", "compare", "doctor", "pack", "record", "reprozip", "run", "verify")
"""What rtrace makes workspaces for in the folder for temporary files."""
IN_MEMORY = Path("/dev/shm")  # noqa: S108 -- a workspace in it is private, as in every other folder
"""Where files can be kept in memory; removing a folder from a disk takes milliseconds when that is busy."""
THROW_AWAY = "target"
"""The name of a temporary target in a workspace."""

_LONGEST_NAME = 200  # bytes of the name of what is made, in that of its workspace
_ATTEMPTS = 100
_EXCHANGED = "another folder was put in its place meanwhile"


class Workspace:
    """A folder in an open one, locked by this process; as a block, it is removed in the end unless it got a name."""

    def __init__(self, parent: int, name: bytes, path: Path, descriptor: int, lock: Lock) -> None:
        self.parent = parent
        self.name = name
        self.path = path
        self.descriptor = descriptor
        self.lock = lock
        self.is_named = False

    def give_name(self, name: bytes) -> None:
        """Put it in its place, under a name that is free.

        Raises FileExistsError when that is taken, OSError when another folder was put in the place of this one.
        """
        if not bears_name(self.descriptor, self.parent, self.name):
            raise OSError(errno.EBUSY, _EXCHANGED)
        with shielded():
            rename_new(self.parent, self.name, name)
            self.name, self.is_named = name, True
        if not bears_name(self.descriptor, self.parent, name):
            raise OSError(errno.EBUSY, _EXCHANGED)

    def remove(self) -> None:
        """Remove the folder with all that is in it. Raises OSError where that fails; the rest is gone."""
        remove_below(self.descriptor, kept=frozenset({LOCK_FILE}))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(LOCK_FILE, dir_fd=self.descriptor)
        os.rmdir(self.name, dir_fd=self.parent)  # an empty folder, if another was put in its place

    def close(self) -> None:
        """Release the folder as it is."""
        self.lock.release()
        os.close(self.descriptor)
        os.close(self.parent)

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self.is_named:
                with contextlib.suppress(OSError):  # what resists is found by the next command
                    self.remove()
        finally:
            self.close()


def make_workspace(parent: int, folder: Path, prefix: str | bytes) -> Workspace:
    """Make a workspace in an open folder, whose descriptor it takes over. Raises OSError, and closes it then.

    ``folder`` is the path of that folder.
    """
    try:
        for _ in range(_ATTEMPTS):
            name = os.fsencode(prefix) + make_suffix()
            with contextlib.suppress(FileExistsError, FileNotFoundError, BusyError):
                os.mkdir(name, 0o700, dir_fd=parent)
                # Somebody who looks for leftovers may take it for one until it is locked: then there is another.
                workspace = lock_workspace(parent, name, folder / os.fsdecode(name))
                if workspace is not None:
                    return workspace
            os.stat(".", dir_fd=parent)
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), folder)
    except BaseException:
        os.close(parent)
        raise


def lock_workspace(parent: int, name: bytes, path: Path) -> Workspace | None:
    """Open and lock a folder that was just made; None when somebody has removed it meanwhile."""
    descriptor = os.open(name, directory_flags(), dir_fd=parent)
    try:
        lock = lock_folder(descriptor, os.fspath(path))
        if lock.descriptor is not None and os.fstat(lock.descriptor).st_nlink == 0:
            lock.release()
            os.close(descriptor)
            return None
    except BaseException:
        os.close(descriptor)
        raise
    return Workspace(parent, name, path, descriptor, lock)


@contextlib.contextmanager
def working(folder: Path, prefix: str | bytes) -> Iterator[Path]:
    """Yield the path of a workspace in a folder; remove it in the end. Raises OSError when it cannot be made."""
    if not has_descriptors():  # Windows, where there are no locks either
        import tempfile

        with tempfile.TemporaryDirectory(prefix=os.fsdecode(prefix), dir=folder, ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    with shielded():
        parent = os.open(folder, directory_flags() & ~os.O_NOFOLLOW)
        with make_workspace(parent, folder.absolute(), prefix) as workspace, lifted():
            yield workspace.path


@contextlib.contextmanager
def temporary(purpose: str) -> Iterator[Path]:
    """Yield the path of a workspace in the folder for temporary files, for one of the purposes in TEMPORARY."""
    with working(temporary_folder(), f"rtrace-{purpose}-") as path:
        yield path


@contextlib.contextmanager
def building_by_path(folder: Path, prefix: str, name: str) -> Iterator[Path]:
    """Yield the path of a new folder, which is renamed in the end and gone on an error: where there are no descriptors.

    Raises FileExistsError when the name is taken by then.
    """
    import tempfile

    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder, ignore_cleanup_errors=True) as above:
        new = Path(above, "new")
        new.mkdir(mode=0o700)
        yield new
        if os.path.lexists(folder / name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        new.rename(folder / name)


def temporary_folder() -> Path:
    """Return the folder for temporary files, as `tempfile` chooses it.

    That makes a file there to see whether it can, which stays when it is killed just then.
    """
    loaded = sys.modules.get("tempfile")
    if loaded is not None and loaded.tempdir is not None:  # somebody has chosen already
        return Path(os.fsdecode(loaded.tempdir))
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for folder in (*named, "/tmp", "/var/tmp", "/usr/tmp"):  # noqa: S108 -- where people look for them
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder).absolute()
    import tempfile

    return Path(tempfile.gettempdir())


def prefix_beside(name: str | bytes, ending: str) -> bytes:
    """Return how the names of workspaces begin in which the file or folder of a name is made, or removed."""
    return os.fsencode(name)[:_LONGEST_NAME] + ending.encode()


def set_aside(parent: int, name: bytes, descriptor: int, prefix: bytes) -> bytes:
    """Rename an open folder so that it is a leftover as soon as nobody has locked it; return its name.

    Raises OSError, and leaves everything as it is, when another folder was put in its place.
    """
    new = prefix + make_suffix()
    rename_new(parent, name, new)
    if not bears_name(descriptor, parent, new):
        rename_new(parent, new, name)
        raise OSError(errno.EBUSY, _EXCHANGED)
    return new


def make_suffix() -> bytes:
    """Return eight letters that tell workspaces apart."""
    return os.urandom(4).hex().encode()


def removal_prefix(name: str | bytes) -> bytes:
    """Return how the name of a target begins while it is removed."""
    return prefix_beside(b"." + os.fsencode(name), REMOVED)


def is_removal_of(leftover: str, name: str) -> bool:
    """Whether a leftover is the rest of a target of that name, which was to be removed."""
    return os.fsencode(leftover)[: -len(make_suffix())] == removal_prefix(name)


def bears_name(descriptor: int, parent: int, name: bytes) -> bool:
    """Whether an open folder still has its name: its maker may have given it another one before it let go of it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name, dir_fd=parent, follow_symlinks=False))
    except FileNotFoundError:
        return False
