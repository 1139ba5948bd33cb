"""Folders used by descriptor, and by their owner only.

Whoever may write in a folder can exchange what is in it, from one moment to the next. So a folder is opened once, and
all that is in it is reached by single names from its descriptor, following no symlink. Root goes to it by folders and
symlinks alone that nobody else can exchange.

Where a user's own folders are, for settings, state and caches, the XDG Base Directory Specification says.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Literal

from rtrace.errors import ForeignError
from rtrace.printable import printable

OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40
_ALL_IDS = 0xFFFFFFFF
_OWN = {"XDG_CONFIG_HOME": ".config", "XDG_STATE_HOME": ".local/state", "XDG_CACHE_HOME": ".cache"}


def find_own_folder(variable: Literal["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"]) -> Path:
    """Return the folder that a variable names, or the usual one; a relative path in the variable does not count."""
    named = os.environ.get(variable, "")
    return Path(named) if os.path.isabs(named) else Path(find_home(), _OWN[variable])


def find_home() -> str:
    """Return the user's home folder: that of HOME, or of the account where HOME is empty, not the root folder."""
    if os.environ.get("HOME") == "":
        try:
            import pwd

            return pwd.getpwuid(os.getuid()).pw_dir
        except (ImportError, KeyError):  # Windows, where nothing depends on HOME; an id without an account
            pass
    return os.path.expanduser("~")


def has_descriptors() -> bool:
    """Whether folders can be opened, and used by descriptor, on this system; on Windows they cannot."""
    return os.open in os.supports_dir_fd


def directory_flags() -> int:
    """Return the flags for opening a folder that is no symlink; a function, since not every system has them."""
    return folder_flags() | os.O_NOFOLLOW


def folder_flags() -> int:
    """Return the flags for opening a folder, also by a symlink."""
    return os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def split_path(path: Path) -> tuple[bytes, bytes]:
    """Return the parent and the name of a path, both absolute.

    Symlinks are followed where it has no name of its own.
    """
    absolute = os.fsencode(path.absolute())
    if path.name in {"", ".."}:
        absolute = os.path.realpath(absolute)
    return os.path.split(absolute)


def open_parent(path: Path) -> tuple[int, bytes]:
    """Open the folder that a path is in; return its descriptor, and the name of the path in it.

    Raises OSError, and ForeignError when this is root and somebody else could exchange what is there.
    """
    parent, name = split_path(path)
    return (open_trusted(parent) if is_root() else os.open(parent, directory_flags() & ~os.O_NOFOLLOW)), name


def open_trusted(path: bytes) -> int:
    """Open a folder, by an absolute path on which nobody but root can exchange anything.

    Raises OSError, and ForeignError where somebody else can.
    """
    pending = path.split(b"/")[::-1]
    links = 0
    here = os.open("/", directory_flags())
    try:
        while True:
            refuse_foreign(here)
            name = next_name(pending)
            if name is None:
                return os.dup(here)
            try:
                below = os.open(name, directory_flags(), dir_fd=here)
            except OSError as error:
                if error.errno not in {errno.ELOOP, errno.ENOTDIR} or links == _MOST_LINKS:
                    raise
                links += 1
                target = read_trusted_link(here, name)
                pending += target.split(b"/")[::-1]
                if not target.startswith(b"/"):
                    continue
                below = os.open("/", directory_flags())
            os.close(here)
            here = below
    finally:
        os.close(here)


def next_name(pending: list[bytes]) -> bytes | None:
    """Take the next name of a path, the last of a list, without those that lead nowhere."""
    while pending:
        name = pending.pop()
        if name not in {b"", b"."}:
            return name
    return None


def read_trusted_link(folder: int, name: bytes) -> bytes:
    """Return the target of a symlink that is root's. Raises OSError when it is not one, ForeignError for another's."""
    link = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        status = os.fstat(link)
        if not stat.S_ISLNK(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        if status.st_uid != 0:
            raise ForeignError(
                f"{printable(name)} is a symbolic link of another user, who could let it lead elsewhere; "
                "name the folder itself"
            )
        return os.readlink(b"", dir_fd=link)
    finally:
        os.close(link)


def refuse_foreign(folder: int) -> None:
    """Raise ForeignError when somebody but root can exchange what others have in an open folder.

    In a sticky folder such as /tmp everybody can add something, but remove only what is theirs.
    """
    status = os.fstat(folder)
    if status.st_uid == 0 and (not status.st_mode & OTHERS_WRITE or status.st_mode & stat.S_ISVTX):
        return
    whose = "belongs to another user" if status.st_uid != 0 else "can be written by other users"
    raise ForeignError(
        f"{name_of(folder)} {whose}, who could exchange what root has there; use a folder where only root can write, "
        "or work as that user"
    )


def refuse_others(folder: int, path: Path) -> None:
    """Raise ForeignError unless an open folder belongs to this user and is closed to everybody else."""
    status = os.fstat(folder)
    name = printable(os.fsencode(path))
    if status.st_uid != os.geteuid():
        raise ForeignError(f"{name} belongs to another user; use it as that user, or unpack the bundle yourself")
    if status.st_mode & OTHERS:
        raise ForeignError(f"{name} is open to other users, who could exchange what is in it; run `chmod 700 {name}`")


def read_own(folder: int, name: str, limit: int) -> bytes:
    """Return the content of a regular file of this user's in an open folder, following no symlink.

    Raises OSError when it is missing, and ForeignError when it is somebody else's, not a regular file, or larger than
    ``limit`` bytes.
    """
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink != 1:
            raise ForeignError(f"{name_of(folder)}/{name} is not a file that rtrace wrote")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ForeignError(f"{name_of(folder)}/{name} has more than {limit} bytes, more than any of rtrace's files")
    return content


def write_new(folder: int | Path, name: str, content: bytes) -> None:
    """Write a file in an open folder; whoever reads one of that name meanwhile has the one or the other.

    By its path, a folder is that of a system on which it cannot be opened.
    """
    new = f"{name}.new"
    if isinstance(folder, Path):
        (folder / new).write_bytes(content)
        (folder / new).replace(folder / name)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(new, flags, 0o644, dir_fd=folder)
    except FileExistsError:  # of a process that was killed
        os.unlink(new, dir_fd=folder)
        descriptor = os.open(new, flags, 0o644, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(content)
    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, in place of an older one: whole or not at all. Raises OSError."""
    incomplete = path.with_name(path.name + ".incomplete")
    incomplete.unlink(missing_ok=True)
    descriptor = os.open(incomplete, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
    incomplete.replace(path)


def is_root() -> bool:
    """Whether this process may do everything on this machine, which is a Linux, and not only in a user namespace."""
    if not hasattr(os, "O_PATH") or os.geteuid() != 0:
        return False
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            inside, outside, count = map(int, file.readline().split())
    except (OSError, ValueError):
        return True
    return (inside, outside, count) == (0, 0, _ALL_IDS)


def name_of(folder: int) -> str:
    """Return the path of an open folder, to be shown."""
    try:
        return printable(os.readlink(b"/proc/self/fd/%d" % folder))
    except OSError:
        return "the folder"
