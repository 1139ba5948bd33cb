"""Calls that change where a process stands, or take it out of sight: chdir, chroot, mount, namespaces, ptrace."""

from __future__ import annotations

from rtrace.capture.calls import AT_FDCWD
from rtrace.capture.context import INT_MASK, Context, Request
from rtrace.trace.schema import Use

LOOKUP = int(Use.LOOKUP)
CLONE_NEW_NAMESPACES = 0x20000 | 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER of unshare(2)
PTRACE_BEGINNINGS = (0, 16, 0x4206)  # PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE
MOUNT_CALLS = ("mount", "umount", "umount2", "oldumount", "move_mount", "mount_setattr", "setns")
FUSE_CALLS = ("mount", "fsopen", "move_mount")
OTHERS_MEMORY = ("process_vm_readv", "process_vm_writev")


def change_directory(context: Context, request: Request) -> None:
    """Note chdir(2)."""
    try:
        walk = context.walk_argument(request, follow=True)
    finally:  # whatever we make of the path, the caller moves
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
    if name in OTHERS_MEMORY and request.arguments[0] & INT_MASK in context.tracees:
        return
    if name in FUSE_CALLS:
        note_served(context, request, name)
    if name in MOUNT_CALLS:
        context.forget_all()
    context.notices.add_escape(name, context.program(request.tracee))


def note_served(context: Context, request: Request, name: str) -> None:
    """Keep away from a FUSE filesystem that is being mounted, as its server is likely to be part of the run.

    To look at a file in it would wait for the server, which may itself be waiting for the answer to a call of its own.
    """
    tracee, arguments = request.tracee, request.arguments
    if name != "move_mount" and not tracee.read_string(arguments[0 if name == "fsopen" else 2]).startswith(b"fuse"):
        return
    if name == "fsopen":
        context.serving = True
        return
    if name == "move_mount" and not context.serving:
        return
    dirfd, address = (AT_FDCWD, arguments[1]) if name == "mount" else (arguments[2] & INT_MASK, arguments[3])
    path = tracee.read_string(address)
    walk = context.walk(tracee, context.base(tracee, dirfd, path), path, follow=True)
    if walk is not None:
        context.use(tracee.process, walk, LOOKUP)
        context.walker.served.add(walk.path)
