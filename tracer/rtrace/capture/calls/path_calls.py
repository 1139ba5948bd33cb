"""Calls with one path: each decoder returns the uses, the path's own first."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from rtrace.capture.books.folders import list_directory, note_folders, note_member
from rtrace.capture.books.path_state import Uses
from rtrace.capture.books.unobserved import has_same_rights
from rtrace.capture.books.walker import Walk
from rtrace.capture.calls.context import Context
from rtrace.capture.kernel.call_table import IN_READING, O_TMPFILE, Action
from rtrace.trace.schema import Use

READ, WRITE, TRUNCATE, CREATE = int(Use.READ), int(Use.WRITE), int(Use.TRUNCATE), int(Use.CREATE)
LIST, LOOKUP, REMOVE, METADATA = int(Use.LIST), int(Use.LOOKUP), int(Use.REMOVE), int(Use.METADATA)
APPEND = int(Use.APPEND)
DEVICES = (stat.S_IFCHR, stat.S_IFBLK)
FIFO = stat.S_IFIFO
RIGHTS = {os.O_RDONLY: os.R_OK, os.O_WRONLY: os.W_OK}


def is_permitted(context: Context, path: bytes, access: int) -> bool:
    """Whether the kernel lets the run read (R_OK) or change (W_OK) what is at a path.

    The tracer's own rights decide: they are never less than the run's, except for root's in a filesystem that refuses
    root (NFS with root_squash, FUSE). Raises PermissionError there if the run is another user.
    """
    if os.access(path, access, effective_ids=True):
        return True
    if os.geteuid() == 0 and not has_same_rights(context.caller) and not is_read_only(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return False


def is_read_only(path: bytes) -> bool:
    """Whether a path is in a filesystem that nobody can write to (EROFS)."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:  # ENOSYS: nobody knows
        return False


def can_open(context: Context, path: bytes, access: int) -> bool:
    """Whether the kernel lets the run open what is at a path; ``access`` is one of O_ACCMODE's."""
    return is_permitted(context, path, RIGHTS.get(access, os.R_OK | os.W_OK))


def can_make(context: Context, walk: Walk) -> bool:
    """Whether a name can be made, removed or changed at the end of a walk: its folder decides (EACCES, EROFS)."""
    return is_permitted(context, walk.path.rpartition(b"/")[0] or b"/", os.W_OK | os.X_OK)


def open_path(context: Context, walk: Walk, flags: int) -> Uses:
    """Decode open(2) and its kin, by what is there now."""
    access = flags & os.O_ACCMODE
    if walk.missing is not None:
        if not flags & os.O_CREAT or walk.missing != walk.path or not can_make(context, walk):
            return [(context.state(walk), LOOKUP)]
        state = context.state(walk)
        context.memory.appear(walk.path)
        return [(state, CREATE | (0 if access == os.O_RDONLY else WRITE))]
    state = context.state(walk)
    status = walk.status or os.lstat(walk.path)
    kind = stat.S_IFMT(status.st_mode)
    exclusive = flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
    if flags & os.O_PATH or exclusive or kind == stat.S_IFLNK:
        return [(state, LOOKUP)]
    if kind == FIFO or (kind in DEVICES and can_open(context, walk.path, access)):
        context.notices.watch_opening(walk.path, status, flags)
    hidden = access != os.O_WRONLY and not status.st_mode & stat.S_IROTH
    unreadable = hidden and not is_permitted(context, walk.path, os.R_OK)
    if kind == stat.S_IFDIR:
        if access == os.O_RDONLY and not flags & (O_TMPFILE | os.O_CREAT) and not unreadable:
            list_directory(context.ledger, state)
            return [(state, LIST)]
        return [(state, LOOKUP)]
    if unreadable or flags & os.O_DIRECTORY:  # EACCES, ENOTDIR
        return [(state, LOOKUP)]
    writes = access != os.O_RDONLY or flags & os.O_TRUNC
    if not writes:
        return [(state, READ)]
    if not is_permitted(context, walk.path, os.W_OK):
        return [(state, LOOKUP)]  # EACCES, EROFS: programs then try again for reading
    if flags & os.O_TRUNC:
        lost = context.ledger.before_loss(state)
        return [(state, TRUNCATE | (0 if access == os.O_RDONLY else WRITE)), *lost]
    context.ledger.before_change(state)
    return [(state, WRITE | (READ if access == os.O_RDWR else 0) | (APPEND if flags & os.O_APPEND else 0))]


def look_up(context: Context, walk: Walk, flags: int) -> Uses:
    """Decode a call that asks about a path: stat(2), access(2), readlink(2), inotify_add_watch(2)."""
    if flags & IN_READING:
        context.notices.add(
            "watch",
            f"the run watches {os.fsdecode(walk.path)} for files that are opened or read, and rtrace opens some there "
            "to keep them as they are before they are changed",
            "the run gets more of these events than without rtrace; let it watch for changes alone if that matters",
        )
    state = context.state(walk)
    if walk.missing is None:
        note_folders(context.ledger, state, walk)
    return [(state, LOOKUP)]


def change_metadata(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode a call that changes mode, owner, times or attributes."""
    return [(context.state(walk), METADATA if walk.missing is None else LOOKUP)]


def truncate(context: Context, walk: Walk, length: int) -> Uses:
    """Decode truncate(2): to a ``length`` of 0, it replaces the content from nothing."""
    state = context.state(walk)
    if walk.missing is not None or not is_permitted(context, walk.path, os.W_OK) or is_directory(walk):
        return [(state, LOOKUP)]
    if not length:
        return [(state, TRUNCATE), *context.ledger.before_loss(state)]
    context.ledger.before_change(state)
    return [(state, WRITE)]


def make(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode mkdir(2) and mknod(2)."""
    state = context.state(walk)
    if walk.missing != walk.path or not can_make(context, walk):
        return [(state, LOOKUP)]
    context.memory.appear(walk.path)
    return [(state, CREATE)]


def is_empty(path: bytes) -> bool:
    """Whether a folder has no entries."""
    with os.scandir(path) as entries:
        return next(entries, None) is None


def is_directory(walk: Walk) -> bool:
    """Whether a walk ended at a folder."""
    status = walk.status or os.lstat(walk.path)
    return stat.S_ISDIR(status.st_mode)


def unlink(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode unlink(2)."""
    state = context.state(walk)
    if walk.missing is not None or is_directory(walk) or not can_make(context, walk):
        return [(state, LOOKUP)]
    lost = context.ledger.before_loss(state)
    if walk.path in context.walker.links:
        context.forget_all()
    return [(state, REMOVE), *lost]


def rmdir(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode rmdir(2)."""
    state = context.state(walk)
    if walk.missing is not None or not is_directory(walk) or not can_make(context, walk):
        return [(state, LOOKUP)]  # ENOTDIR, EACCES
    if not is_empty(walk.path):
        note_member(context.ledger, state)
        return [(state, LOOKUP)]  # ENOTEMPTY
    list_directory(context.ledger, state)
    context.walker.directories.discard(walk.path)
    return [(state, REMOVE)]


DECODERS: dict[Action, Callable[[Context, Walk, int], Uses]] = {
    Action.OPEN: open_path,
    Action.LOOKUP: look_up,
    Action.LOOKUP_LINK: look_up,
    Action.METADATA: change_metadata,
    Action.METADATA_LINK: change_metadata,
    Action.TRUNCATE: truncate,
    Action.MAKE: make,
    Action.UNLINK: unlink,
    Action.RMDIR: rmdir,
}
