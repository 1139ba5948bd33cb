"""Calls with one path: each decoder returns the uses, the path's own first."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from rtrace.capture.call_memory import Uses
from rtrace.capture.calls import O_TMPFILE, Action
from rtrace.capture.context import Context
from rtrace.capture.walker import Walk
from rtrace.trace.schema import Use

READ, WRITE, TRUNCATE, CREATE = int(Use.READ), int(Use.WRITE), int(Use.TRUNCATE), int(Use.CREATE)
LIST, LOOKUP, REMOVE, METADATA = int(Use.LIST), int(Use.LOOKUP), int(Use.REMOVE), int(Use.METADATA)


def open_path(context: Context, walk: Walk, flags: int) -> Uses:
    """Decode open(2) and its kin: what it needs of what is there now."""
    access = flags & os.O_ACCMODE
    if walk.missing is not None:
        if not flags & os.O_CREAT or walk.missing != walk.path:
            return [(context.state(walk), LOOKUP)]
        state = context.state(walk)
        context.memory.appear(walk.path)
        return [(state, CREATE | (0 if access == os.O_RDONLY else WRITE))]
    state = context.state(walk)
    status = walk.status or os.lstat(walk.path)
    if stat.S_ISDIR(status.st_mode):
        if access == os.O_RDONLY and not flags & (os.O_PATH | O_TMPFILE):
            context.ledger.list_directory(state)
            return [(state, LIST)]
        return [(state, LOOKUP)]
    exclusive = flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
    if flags & os.O_PATH or exclusive or stat.S_ISLNK(status.st_mode):
        return [(state, LOOKUP)]
    writes = access != os.O_RDONLY or flags & os.O_TRUNC
    if not writes:
        return [(state, READ)]
    if not os.access(walk.path, os.W_OK, effective_ids=True):
        return [(state, LOOKUP)]  # EACCES, EROFS: programs then try again for reading
    context.ledger.before_change(state)
    if flags & os.O_TRUNC:
        return [(state, TRUNCATE | (0 if access == os.O_RDONLY else WRITE))]
    return [(state, WRITE | (READ if access == os.O_RDWR else 0))]


def look_up(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode a call that asks about a path: stat(2), access(2), readlink(2)."""
    return [(context.state(walk), LOOKUP)]


def change_metadata(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode a call that changes mode, owner, times or attributes."""
    return [(context.state(walk), METADATA if walk.missing is None else LOOKUP)]


def truncate(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode truncate(2)."""
    state = context.state(walk)
    if walk.missing is not None:
        return [(state, LOOKUP)]
    context.ledger.before_change(state)
    return [(state, WRITE)]


def make(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode mkdir(2) and mknod(2)."""
    state = context.state(walk)
    if walk.missing != walk.path:
        return [(state, LOOKUP)]
    context.memory.appear(walk.path)
    return [(state, CREATE)]


def unlink(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode unlink(2)."""
    state = context.state(walk)
    if walk.missing is not None:
        return [(state, LOOKUP)]
    context.ledger.before_change(state)
    if walk.path in context.walker.links:
        context.forget_all()
    return [(state, REMOVE)]


def rmdir(context: Context, walk: Walk, _flags: int) -> Uses:
    """Decode rmdir(2)."""
    state = context.state(walk)
    if walk.missing is not None:
        return [(state, LOOKUP)]
    context.ledger.list_directory(state)
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
