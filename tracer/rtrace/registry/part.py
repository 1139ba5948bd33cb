"""The file that a blob is fetched into: until it is whole it is called ``FILE.part-`` and the blob's first digits."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BundleError, BusyError, ForeignError
from rtrace.files.folders import directory_flags, has_descriptors, split_path
from rtrace.files.locks import read_holder, try_lock
from rtrace.files.renaming import rename_new
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtrace.registry.artifact import Content

PART = ".part-"
_DIGITS = 16
_LONGEST_NAME = 200  # bytes of the file's name in that of its part
_OF_A_PART = re.compile(rb"\.part-[0-9a-f]{16}\Z")


class Part:
    """The file in the making, open and locked by this process."""

    def __init__(self, target: Path, parent: int, name: bytes, descriptor: int) -> None:
        """Begin with what is open: the folder, and the file in it."""
        self.target = target
        self.descriptor = descriptor
        self._parent = parent
        self._name = name

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.target.with_name(os.fsdecode(self._name))

    @property
    def size(self) -> int:
        """How many bytes are there."""
        return os.fstat(self.descriptor).st_size

    def empty(self) -> None:
        """Begin anew."""
        os.ftruncate(self.descriptor, 0)

    def remove(self) -> None:
        """Remove it."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._parent)

    def give_name(self) -> None:
        """Make it the target. Raises BundleError when the name is taken."""
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(self.descriptor, 0o666 & ~mask)
        os.fsync(self.descriptor)
        try:
            rename_new(self._parent, self._name, os.fsencode(self.target.name))
        except FileExistsError:
            raise BundleError(f"{self.target} was made by somebody else in the meantime; name another file") from None


@contextlib.contextmanager
def open_part(target: Path, content: Content, tell: Callable[[str], None]) -> Iterator[Part]:
    """Open the part of a file, and remove parts of it with other content, which nobody works on; these are told.

    Raises BusyError when another process works on it, ForeignError when it is another user's, and BundleError when
    nothing can be written there.
    """
    if not has_descriptors():
        raise BundleError(f"cannot fetch {target} on this system; run `rtrace pull` on Linux or macOS")
    folder, last = split_path(target)
    name = last[:_LONGEST_NAME] + PART.encode() + content.digest.removeprefix("sha256:")[:_DIGITS].encode()
    try:
        parent = os.open(folder, directory_flags() & ~os.O_NOFOLLOW)
    except OSError as error:
        raise BundleError(f"cannot write in {printable(folder)}: {error.strerror}; name another folder") from None
    try:
        for other in _list_others(parent, last, name):
            if _remove_other(parent, other):
                tell(f"removed {printable(other)}, of an earlier `rtrace pull` of something else")
        descriptor = _open_own(parent, name, printable(folder + b"/" + name))
        try:
            yield Part(target, parent, name, descriptor)
        except OSError as error:
            raise BundleError(
                f"cannot write {target}: {error.strerror}; `rtrace pull` goes on with {printable(name)}, or remove it"
            ) from error
        finally:
            if not os.fstat(descriptor).st_size:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=parent)
            os.close(descriptor)
    finally:
        os.close(parent)


def _list_others(parent: int, last: bytes, own: bytes) -> list[bytes]:
    """Return the parts of the same file that are of other content."""
    start = last[:_LONGEST_NAME]
    with os.scandir(parent) as entries:
        names = [os.fsencode(entry.name) for entry in entries]
    return sorted(
        one for one in names if one != own and one.startswith(start) and _OF_A_PART.fullmatch(one, len(start))
    )


def _remove_other(parent: int, name: bytes) -> bool:
    """Remove the part of something else, if it is this user's and nobody works on it; return whether it is gone."""
    try:
        descriptor = os.open(name, _flags(os.O_RDWR), dir_fd=parent)
    except OSError:  # another user's, or no file
        return False
    try:
        if not _is_own(descriptor):
            return False
        try_lock(descriptor)
        os.unlink(name, dir_fd=parent)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(descriptor)
    return True


def _open_own(parent: int, name: bytes, shown: str) -> int:
    """Open or make the file, following no symlink, and lock it."""
    while True:
        try:
            descriptor = os.open(name, _flags(os.O_RDWR | os.O_CREAT), 0o600, dir_fd=parent)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
                raise ForeignError(f"{shown} is not a file that rtrace wrote; remove it") from None
            raise BundleError(f"cannot write {shown}: {error.strerror}; name another folder") from None
        try:
            if not _is_own(descriptor):
                raise ForeignError(f"{shown} is not a file that rtrace wrote for you; remove it")
            try_lock(descriptor)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BlockingIOError:
            holder = read_holder(descriptor)
            os.close(descriptor)
            who = f"process {holder}" if holder else "another process"
            raise BusyError(f"{shown} is being fetched by {who} of rtrace; wait until that has ended") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was removed, or got its name, just before it was locked


def _flags(way: int) -> int:
    return way | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def _is_own(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink <= 1
