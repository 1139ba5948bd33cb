"""Remove a tree by descriptors: follow no symlink, enter no other file system, however deep it is.

A name is looked up in the folder that is open, never as a part of a longer path, so whoever exchanges folders for
symlinks meanwhile does not lead the removal elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(slots=True)
class _Level:
    """A folder on the way down: its name, what it is, and which folders in it are still to be removed."""

    name: str
    status: os.stat_result
    pending: list[str]


def remove_below(root: int, *, kept: frozenset[str] = frozenset()) -> None:
    """Remove all that is in an open folder, but for the ``kept`` names directly in it.

    Raises OSError at the first thing that resists, and where another file system is mounted.
    """
    top = os.fstat(root)
    here = os.dup(root)
    try:
        make_accessible(here)
        levels = [_Level("", top, remove_files(here, kept))]
        while True:
            level = levels[-1]
            if level.pending:
                name = level.pending.pop()
                below = open_folder_below(here, name)
                os.close(here)
                here = below
                status = os.fstat(here)
                if status.st_dev != top.st_dev:
                    raise OSError(errno.EBUSY, "another file system is mounted there", name)
                levels.append(_Level(name, status, remove_files(here)))
                continue
            levels.pop()
            if not levels:
                return
            above = os.open("..", _FLAGS, dir_fd=here)
            os.close(here)
            here = above
            if not os.path.samestat(os.fstat(here), levels[-1].status):
                raise OSError(errno.EBUSY, "it was moved meanwhile", level.name)
            os.rmdir(level.name, dir_fd=here)
    finally:
        os.close(here)


def remove_files(folder: int, kept: frozenset[str] = frozenset()) -> list[str]:
    """Remove all that is directly in an open folder but folders, and return the names of these."""
    with os.scandir(folder) as entries:
        members = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries if entry.name not in kept]
    for name, is_folder in members:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in members if is_folder]


def open_folder_below(parent: int, name: str) -> int:
    """Open a folder in an open one, made accessible where its owner, this user, had locked themselves out."""
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=parent)
    except PermissionError:
        # O_PATH needs no right on the folder itself, and names it whatever takes its place meanwhile.
        handle = os.open(name, _FLAGS | os.O_PATH, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{handle}", stat.S_IRWXU)
            return os.open(f"/proc/self/fd/{handle}/.", _FLAGS)
        finally:
            os.close(handle)
    make_accessible(descriptor)
    return descriptor


def make_accessible(descriptor: int) -> None:
    """Let this user, who owns an open folder, look into it and remove from it; root may do so anyway."""
    status = os.fstat(descriptor)
    if status.st_uid == os.geteuid() != 0 and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(descriptor, stat.S_IRWXU)
