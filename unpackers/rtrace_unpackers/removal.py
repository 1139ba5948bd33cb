"""Remove a tree, and nothing but the tree: no symlink is followed, nothing that is mounted in it is touched."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rtrace.errors import TargetError
from rtrace_unpackers import directories
from rtrace_unpackers.directories import Visit


def remove_tree(path: Path) -> None:
    """Remove a directory with all that is in it.

    Raises TargetError before anything is removed when something is mounted below it, and when a part of it resists.
    """
    refuse_mounts(os.path.realpath(os.fsencode(path)))
    parent, name = os.path.split(os.fsencode(path.absolute()))
    try:
        with directories.opened(parent) as above:
            root, _mode = directories.open_accessible(name, above)
            try:
                directories.walk(root, remove_files, leave=remove_directory)
            finally:
                os.close(root)
            os.rmdir(name, dir_fd=above)
    except OSError as error:
        raise TargetError(f"cannot remove all of {path}: {error.strerror}") from None


def remove_files(visit: Visit) -> None:
    """Remove all that a directory holds but the directories."""
    for member in visit.members:
        if not member.is_directory:
            os.unlink(member.name, dir_fd=visit.descriptor)


def remove_directory(parent: int, name: bytes) -> None:
    """Remove a directory that is empty by now."""
    os.rmdir(name, dir_fd=parent)


def refuse_mounts(path: bytes) -> None:
    """Raise TargetError when something is mounted at a path or below it; a walk could not always tell."""
    for place in list_mounts():
        if place == path or place.startswith(path.rstrip(b"/") + b"/"):
            raise TargetError(f"{os.fsdecode(place)} is mounted in the target: unmount it first, nothing was removed")


def list_mounts() -> list[bytes]:
    """Return where file systems are mounted; see proc(5), mountinfo. Nothing where the system does not tell."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return [unescape(line.split(b" ")[4]) for line in file]
    except OSError:
        return []


def unescape(field: bytes) -> bytes:
    r"""Decode the octal escapes (``\040``) of mountinfo."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
