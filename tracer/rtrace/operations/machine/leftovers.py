"""What killed processes of rtrace left: workspaces whose locks are free."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from rtrace.errors import ForeignError, RtraceError
from rtrace.files.folders import directory_flags, is_root, open_trusted
from rtrace.files.locks import NO_LOCK, Lock, open_lock_file, try_lock
from rtrace.files.workspaces import TEMPORARY, THROW_AWAY, Workspace, bears_name

_LEFTOVER = re.compile(
    rb"(?:rtrace-(?:%b)-|\.rtrace-incomplete-|.+\.incomplete-|\..+\.removed-)[0-9a-f]{8}\Z"
    % "|".join(TEMPORARY).encode(),
    re.DOTALL,
)


def find_leftovers(folder: Path) -> tuple[Path, ...]:
    """Find the workspaces in a folder whose makers are dead."""
    return tuple(workspace.path for workspace in claim_leftovers(folder, to_remove=False))


def clean_folder(folder: Path) -> tuple[Path, ...]:
    """Remove the workspaces in a folder whose makers are dead; return those that are gone."""
    gone = []
    for workspace in claim_leftovers(folder, to_remove=True):
        # What resists is tried again by the next one who looks.
        with contextlib.suppress(OSError, RtraceError):
            destroy_target(workspace.path / THROW_AWAY)
            workspace.remove()
            gone.append(workspace.path)
    return tuple(gone)


def destroy_target(path: Path) -> None:
    """Destroy a temporary target, if there is one: its unpacker may keep more than the folder.

    Raises RtraceError when it cannot be destroyed now.
    """
    if not os.path.lexists(path):
        return
    from rtrace.replay.registry import open_target  # it looks for unpackers, which takes time

    try:
        target = open_target(path)
    except RtraceError:  # it is incomplete, so nobody used it
        return
    target.destroy()


def claim_leftovers(folder: Path, *, to_remove: bool) -> Iterator[Workspace]:
    """Yield the workspaces in a folder whose makers are dead, each locked for as long as the caller looks at it."""
    if os.open not in os.supports_dir_fd:
        return
    try:
        path = os.fsencode(folder.absolute())
        parent = open_trusted(path) if is_root() else os.open(path, directory_flags() & ~os.O_NOFOLLOW)
    except (OSError, ForeignError):
        return
    try:
        with os.scandir(parent) as entries:
            names = [os.fsencode(entry.name) for entry in entries]
        for name in sorted(filter(_LEFTOVER.match, names)):
            workspace = claim(parent, name, folder, to_remove=to_remove)
            if workspace is not None:
                try:
                    yield workspace
                finally:
                    workspace.close()
    finally:
        os.close(parent)


def claim(parent: int, name: bytes, folder: Path, *, to_remove: bool) -> Workspace | None:
    """Lock a leftover. Return None if it is in use, belongs to another user, is not a folder, or has no lock."""
    try:
        descriptor = os.open(name, directory_flags(), dir_fd=parent)
    except OSError:  # ELOOP, ENOTDIR: something else; EACCES: another user's
        return None
    lock = lock_leftover(descriptor, to_remove=to_remove)
    if lock is not None and bears_name(descriptor, parent, name):
        return Workspace(os.dup(parent), name, folder / os.fsdecode(name), descriptor, lock)
    if lock is not None:
        lock.release()
    os.close(descriptor)
    return None


def lock_leftover(descriptor: int, *, to_remove: bool) -> Lock | None:
    """Lock an open folder that this user made and whose maker is dead; None when it is not certain that it is.

    One that is empty was left before it was locked, or when it was all but removed. Its maker may be alive and about to
    lock it; who does so second makes another.
    """
    if os.fstat(descriptor).st_uid != os.geteuid():
        return None
    is_empty = not os.listdir(descriptor)
    if is_empty and not to_remove:
        return NO_LOCK
    file = open_lock_file(descriptor, create=is_empty)
    if file is None:
        return None
    try:
        if os.fstat(file).st_uid == os.geteuid() and try_lock(file):
            return Lock(file)
    except BlockingIOError:
        pass
    os.close(file)
    return None
