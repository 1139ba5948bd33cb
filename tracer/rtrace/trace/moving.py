"""A trace directory is moved: renamed where possible, else copied completely before the original is removed."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from rtrace.errors import TraceError
from rtrace.files.folders import directory_flags
from rtrace.files.locks import Lock
from rtrace.files.workspaces import INCOMPLETE, Workspace, make_workspace, prefix_beside, set_aside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20


def move(source: Path, target: Path) -> None:
    """Move a trace directory that is locked to a name that is free; there is all of it at that name, or nothing.

    Raises FileExistsError when the name is taken, and OSError when it cannot be moved; the source is there then.
    """
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    try:
        with keep_date(source.parent), keep_date(target.parent):
            os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return
    parent = os.open(target.parent, directory_flags() & ~os.O_NOFOLLOW)
    with make_workspace(parent, target.parent, prefix_beside(target.name, INCOMPLETE)) as workspace:
        copy_below(source, workspace.path)
        workspace.give_name(os.fsencode(target.name))
    with keep_date(source.parent):
        remove_trace(source)


@contextlib.contextmanager
def keep_date(folder: Path) -> Iterator[None]:
    """Put back the time at which a folder changed last: a trace that comes or goes does not change anybody's work."""
    before = folder.stat()
    yield
    with contextlib.suppress(OSError):  # the folder is another user's
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def copy_below(source: Path, target: Path) -> None:
    """Copy all that is in a trace directory into a folder that is there. Raises OSError."""
    with os.scandir(source) as entries:
        members = list(entries)
    for entry in members:
        copy = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            copy.mkdir()
            copy_below(source / entry.name, copy)
        elif entry.is_symlink():
            copy.symlink_to(os.readlink(entry.path))
        elif entry.is_file(follow_symlinks=False):
            copy_file(source / entry.name, copy)
    status = source.stat()
    keep_owner(target, status)
    target.chmod(status.st_mode & 0o7777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def copy_file(source: Path, target: Path) -> None:
    """Copy a file with its holes, owner, mode and times; a lock that is there stays the same file. Raises OSError."""
    from rtrace.files.holes import find_segments

    # Whoever owns the directory can still exchange what is in it.
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as reading, open(target, "wb", buffering=0) as writing:
        status = os.fstat(reading.fileno())
        for start, length in find_segments(reading.fileno(), status) or ((0, status.st_size),):
            reading.seek(start)
            writing.seek(start)
            while reading.tell() < start + length and (
                data := reading.read(min(_CHUNK, start + length - reading.tell()))
            ):
                view = memoryview(data)
                while view:
                    view = view[writing.write(view) :]
        os.ftruncate(writing.fileno(), status.st_size)
        keep_owner(target, status)
        os.fchmod(writing.fileno(), status.st_mode & 0o7777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def keep_owner(target: Path, status: os.stat_result) -> None:
    """Set a copy's owner to that of the original, as far as this user may."""
    with contextlib.suppress(PermissionError):
        os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)


def give_to_owner(trace: Path) -> None:
    """Hand what root added to another user's trace, as with sudo(8), to its owner; files with one name only."""
    owner = trace.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for _, folders, files, descriptor in os.fwalk(trace):
        for name in (*folders, *files):
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if status.st_uid == 0 and (name in folders or status.st_nlink == 1):
                os.chown(name, owner.st_uid, owner.st_gid, dir_fd=descriptor, follow_symlinks=False)


def remove_trace(path: Path) -> None:
    """Remove a trace directory that this process has locked, as far as possible; what is left is a leftover."""
    parent = os.open(path.parent, directory_flags() & ~os.O_NOFOLLOW)
    folder = os.open(path, directory_flags())
    name = set_aside(parent, os.fsencode(path.name), folder, prefix_beside(path.name, INCOMPLETE))
    with Workspace(parent, name, path.with_name(os.fsdecode(name)), folder, Lock(None)):
        pass


def cannot_move(source: Path, target: Path, error: OSError) -> TraceError:
    """Return the error for a trace directory that cannot be moved."""
    return TraceError(f"cannot move {source} to {target}: {error.strerror}; use -d to write elsewhere")
