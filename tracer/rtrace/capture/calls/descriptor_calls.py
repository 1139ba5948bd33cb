"""Calls that name a file by a descriptor that may have been opened only to read it: fchmod, fchown, fsetxattr."""

from __future__ import annotations

from rtrace.capture.calls.context import INT_MASK, Context, Request
from rtrace.trace.schema import Use

LOOKUP, METADATA = int(Use.LOOKUP), int(Use.METADATA)
FAN_MARK_DONT_FOLLOW = 0x4  # fanotify_mark(2)


def change_metadata(context: Context, request: Request) -> None:
    """Note fchmod(2) and its kin, under the name that the file has now; a file without a name has nothing to note."""
    tracee = request.tracee
    name = tracee.read_link(f"fd/{request.arguments[request.call.path] & INT_MASK}")
    walk = context.walk(tracee, name, b"", follow=False)
    if walk is not None and walk.missing is None and not walk.volatile:
        context.use(tracee.process, walk, METADATA)


def watch(context: Context, request: Request) -> None:
    """Note fanotify_mark(2), whose 64-bit mask takes two arguments where words have 32 bits."""
    tracee, arguments = request.tracee, request.arguments
    folder, address = arguments[3:5] if request.architecture.word > 4 else arguments[4:6]  # noqa: PLR2004 - bytes
    path = tracee.read_string(address) if address else b""
    if address and not path:
        return  # ENOENT
    base = context.base(tracee, folder & INT_MASK, path)
    walk = context.walk(tracee, base, path, follow=not arguments[1] & FAN_MARK_DONT_FOLLOW)
    if walk is not None and not walk.volatile:
        context.use(tracee.process, walk, LOOKUP)
