"""Calls that give a path a second name: rename, link, symlink."""

from __future__ import annotations

import os

from rtrace.capture.calls import AT_EMPTY_PATH, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE
from rtrace.capture.context import Context, Request
from rtrace.capture.ledger import PathState
from rtrace.trace.schema import Use

CREATE, LOOKUP, REMOVE = int(Use.CREATE), int(Use.LOOKUP), int(Use.REMOVE)


def rename(context: Context, request: Request) -> None:
    """Note rename(2) and its kin; what moves and what is replaced is kept as it was."""
    source, destination = context.walk_argument(request), context.walk_argument(request, other=True)
    if source is None or destination is None:
        return
    process, call, ledger = request.tracee.process, request.call, context.ledger
    flags = 0 if call.flags is None else request.arguments[call.flags] & call.mask
    reachable = destination.missing in (None, destination.path)
    if source.missing is not None or not reachable:
        context.use(process, source, LOOKUP)
        context.use(process, destination, LOOKUP)
        return
    old, new = context.state(source), context.state(destination)
    for state in (old, new):
        ledger.before_change(state)
    folders = [walk.path for walk in (source, destination) if os.path.isdir(walk.path)]
    if source.path in folders:
        ledger.keep_tree(source.path, destination.path)
    if flags & RENAME_EXCHANGE and destination.path in folders:
        ledger.keep_tree(destination.path, source.path)
    exchanged = flags & RENAME_EXCHANGE
    context.use(process, source, REMOVE | (CREATE if exchanged else 0))
    context.use(process, destination, CREATE | (REMOVE if destination.missing is None else 0))
    note_move(context, request, "exchange" if exchanged else "rename", old, new)
    links = context.walker.links
    if folders:
        context.forget_cwds(request.tracee)
    if folders or source.path in links or destination.path in links or os.path.islink(source.path):
        context.forget_all()
    else:
        context.memory.appear(destination.path)


def link(context: Context, request: Request) -> None:
    """Note link(2): from now on the file can be changed under a name that was not there before."""
    flags = 0 if request.call.flags is None else request.arguments[request.call.flags]
    follow = bool(flags & (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
    source = context.walk_argument(request, follow=follow)
    destination = context.walk_argument(request, other=True)
    if destination is None:
        return
    process = request.tracee.process
    if destination.missing != destination.path:
        context.use(process, destination, LOOKUP)
        return
    new = context.use(process, destination, CREATE)
    context.memory.appear(destination.path)
    if source is not None and not source.volatile:
        old = context.use(process, source, LOOKUP)
        context.ledger.link_made(old)
        note_move(context, request, "link", old, new)


def symlink(context: Context, request: Request) -> None:
    """Note symlink(2)."""
    walk = context.walk_argument(request)
    if walk is None:
        return
    made = walk.missing == walk.path
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
