"""Calls that give a path a second name: rename, link, symlink."""

from __future__ import annotations

import os

from rtrace.capture.books.folders import keep_tree, note_member
from rtrace.capture.books.path_state import PathState
from rtrace.capture.books.walker import Walk
from rtrace.capture.calls.context import Context, Request
from rtrace.capture.calls.path_calls import can_make, is_directory, is_empty
from rtrace.capture.kernel.call_table import AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, RENAME_NOREPLACE
from rtrace.trace.schema import Use

CREATE, LOOKUP, MOVE, REMOVE = int(Use.CREATE), int(Use.LOOKUP), int(Use.MOVE), int(Use.REMOVE)


def rename(context: Context, request: Request) -> None:
    """Note rename(2) and its kin: what is replaced is kept as it was, and what moves is followed to its new place."""
    source, destination = context.walk_argument(request), context.walk_argument(request, other=True)
    if source is None or destination is None:
        return
    process, call, ledger = request.tracee.process, request.call, context.ledger
    flags = 0 if call.flags is None else request.arguments[call.flags] & call.mask
    if will_fail(context, source, destination, flags):
        hindered = destination.missing is None and is_directory(destination)  # ENOTEMPTY
        tried = source.missing is None and hindered and is_directory(source)
        context.use(process, source, LOOKUP | (MOVE if tried else 0))
        target = context.use(process, destination, LOOKUP)
        if hindered:
            note_member(ledger, target)
        return
    old, new = context.state(source), context.state(destination)
    exchanged = flags & RENAME_EXCHANGE
    lost = [] if exchanged else ledger.before_loss(new)
    moving = (old, new) if exchanged else (old,)
    arriving = (new, old) if exchanged else (new,)
    unkept = [ledger.follow_content(process, state) for state in moving]
    new.needed = new.needed or old.needed
    old.needed = old.needed or (new.needed and bool(exchanged))
    if any(unkept) and any(state.existed or state.mutated for state in arriving):
        context.memory.forget()  # calls that changed what was there would now change what arrives
    folders = [walk.path for walk in (source, destination) if os.path.isdir(walk.path)]
    if source.path in folders:
        keep_tree(ledger, process, source.path, destination.path)
    if exchanged and destination.path in folders:
        keep_tree(ledger, process, destination.path, source.path)
    context.use(process, source, REMOVE | (CREATE if exchanged else 0))
    context.use(process, destination, CREATE | (REMOVE if destination.missing is None else 0))
    for state, use in lost:
        ledger.use(process, state, use)
    note_move(context, request, "exchange" if exchanged else "rename", old, new)
    links = context.walker.links
    if folders:
        context.forget_cwds(request.tracee)
    if folders or source.path in links or destination.path in links or os.path.islink(source.path):
        context.forget_all()
    else:
        context.memory.appear(destination.path)


def will_fail(context: Context, source: Walk, destination: Walk, flags: int) -> bool:
    """Whether rename(2) will do nothing, mostly with an error, as far as can be seen from outside.

    mv(1) relies on EXDEV: between filesystems it copies and unlinks. Two folders on one device may still be under
    two mounts, which is not seen here.
    """
    if source.missing is not None or destination.missing not in (None, destination.path):
        return True
    if (destination.path + b"/").startswith(source.path + b"/") and source.path != destination.path:
        return True  # EINVAL: a folder into itself
    folders = [walk.path.rpartition(b"/")[0] or b"/" for walk in (source, destination)]
    if os.stat(folders[0]).st_dev != os.stat(folders[1]).st_dev:  # EXDEV
        return True
    if not can_make(context, source) or not can_make(context, destination):
        return True
    if destination.missing is not None:
        return bool(flags & RENAME_EXCHANGE)  # ENOENT
    if os.path.samestat(os.lstat(source.path), os.lstat(destination.path)):
        return True  # two names of one file: nothing happens
    if flags:
        return bool(flags & RENAME_NOREPLACE)  # EEXIST
    moving = is_directory(source)
    if moving != is_directory(destination):  # ENOTDIR, EISDIR
        return True
    return moving and not is_empty(destination.path)  # ENOTEMPTY


def link(context: Context, request: Request) -> None:
    """Note link(2): from now on the file can be changed under a name that was not there before."""
    flags = 0 if request.call.flags is None else request.arguments[request.call.flags]
    follow = bool(flags & (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
    source = context.walk_argument(request, follow=follow)
    destination = context.walk_argument(request, other=True)
    if destination is None:
        return
    process = request.tracee.process
    refused = source is not None and (source.missing is not None or is_directory(source))  # ENOENT, EPERM
    if refused or destination.missing != destination.path or not can_make(context, destination):
        if source is not None and not source.volatile:
            context.use(process, source, LOOKUP)
        context.use(process, destination, LOOKUP)
        return
    made_before = context.state(destination).mutated
    new = context.use(process, destination, CREATE)
    context.memory.appear(destination.path)
    if source is not None and not source.volatile:
        old = context.use(process, source, LOOKUP)
        if context.ledger.follow_content(process, old) and made_before:
            context.memory.forget()
        note_move(context, request, "link", old, new)


def symlink(context: Context, request: Request) -> None:
    """Note symlink(2)."""
    walk = context.walk_argument(request)
    if walk is None:
        return
    made = walk.missing == walk.path and can_make(context, walk)
    state = context.use(request.tracee.process, walk, CREATE if made else LOOKUP)
    if made and (state.existed or walk.path in context.memory.makers):  # there was a file, and calls that met it
        context.forget_all()
    elif made:
        context.memory.appear(walk.path)


def note_move(context: Context, request: Request, kind: str, source: PathState, destination: PathState) -> None:
    """Note which path was renamed or linked to which."""
    ledger = context.ledger
    row = (ledger.run, request.tracee.process.id, ledger.now(), kind, source.id, destination.id)
    ledger.journal.pending["moves"].append(row)
