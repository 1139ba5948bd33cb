"""Calls that change where a process stands, or take it out of sight: chdir, chroot, mount, namespaces, ptrace."""

from __future__ import annotations

from rtrace.capture.context import Context, Request
from rtrace.trace.schema import Use

LOOKUP = int(Use.LOOKUP)
CLONE_NEW_NAMESPACES = 0x20000 | 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER of unshare(2)
PTRACE_BEGINNINGS = (0, 16, 0x4206)  # PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE


def change_directory(context: Context, request: Request) -> None:
    """Note chdir(2)."""
    walk = context.walk_argument(request, follow=True)
    context.forget_cwds(request.tracee)
    if walk is not None and not walk.volatile:
        context.use(request.tracee.process, walk, LOOKUP)


def change_directory_by_descriptor(context: Context, request: Request) -> None:
    """Note fchdir(2)."""
    context.forget_cwds(request.tracee)


def change_root(context: Context, request: Request) -> None:
    """Note chroot(2): absolute paths begin elsewhere from now on."""
    walk = context.walk_argument(request, follow=True)
    if walk is not None:
        context.use(request.tracee.process, walk, LOOKUP)
    context.rooted = True
    context.forget_all()
    escape(context, request)


def escape(context: Context, request: Request) -> None:
    """Tell of a call that takes its caller out of sight, unless its arguments show that it does not."""
    name = request.architecture.names[request.number]
    if name == "unshare" and not request.arguments[0] & CLONE_NEW_NAMESPACES:
        return
    if name == "ptrace" and request.arguments[0] not in PTRACE_BEGINNINGS:
        return
    if name in ("mount", "umount2", "move_mount", "setns"):
        context.forget_all()
    context.notices.add_escape(name, context.program(request.tracee))
