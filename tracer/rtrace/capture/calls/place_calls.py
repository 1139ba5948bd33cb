"""Calls that change a process's place, or take it out of sight: chdir, chroot, mount, namespaces, ptrace."""

from __future__ import annotations

from errno import EBUSY, EINVAL, EPERM
from functools import partial

from rtrace.capture.calls.context import INT_MASK, Context, Request
from rtrace.capture.kernel.call_table import AT_FDCWD, PR_SET_SECCOMP, SECCOMP_SET_MODE_FILTER, SECCOMP_SET_MODE_STRICT
from rtrace.trace.schema import Use

LOOKUP = int(Use.LOOKUP)
CLONE_NEW_NAMESPACES = 0x20000 | 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER of unshare(2)
PTRACE_TRACEME = 0
PTRACE_BEGINNINGS = (PTRACE_TRACEME, 16, 0x4206)  # and PTRACE_ATTACH, PTRACE_SEIZE
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8  # seccomp(2)
SECCOMP_MODE_STRICT = 1  # prctl(2)
MOUNT_CALLS = ("mount", "umount", "umount2", "oldumount", "move_mount", "mount_setattr", "setns")
FUSE_CALLS = ("mount", "fsopen", "move_mount")
OTHERS_MEMORY = ("process_vm_readv", "process_vm_writev")


def change_directory(context: Context, request: Request) -> None:
    """Note chdir(2)."""
    try:
        walk = context.walk_argument(request, follow=True)
    finally:  # whatever we make of the path, the caller moves
        context.forget_cwds(request.tracee)
    if walk is not None and not (walk.volatile and walk.path.startswith(b"/proc/")):
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
    """Await a call that takes its caller out of sight, unless its arguments show that it does not."""
    name = request.architecture.names[request.number]
    if name == "unshare" and not request.arguments[0] & CLONE_NEW_NAMESPACES:
        return
    if name == "ptrace" and request.arguments[0] not in PTRACE_BEGINNINGS:
        return
    if name in OTHERS_MEMORY and request.arguments[0] & INT_MASK in context.tracees:
        return
    served = note_served(context, request, name) if name in FUSE_CALLS else None
    request.tracee.awaited = partial(finish_escape, context, request, name, served)


def finish_escape(context: Context, request: Request, name: str, served: bytes | None, result: int) -> None:
    """Tell of a call that took its caller out of sight, or that failed because rtrace traces."""
    program = context.program(request.tracee)
    if name in MOUNT_CALLS:
        context.forget_all()
    if result >= 0:
        context.notices.add_escape(name, program)
        return
    if served is not None:
        context.walker.served.discard(served)
    if name == "ptrace" and result == -EPERM and is_traced_here(context, request):
        context.notices.add_refusal("ptrace", program)


def is_traced_here(context: Context, request: Request) -> bool:
    """Whether the process that a program wanted to trace is part of the run; with PTRACE_TRACEME that is itself."""
    beginning, target = request.arguments[0], request.arguments[1] & INT_MASK
    return beginning == PTRACE_TRACEME or target in context.tracees


def install_filter(context: Context, request: Request) -> None:
    """Await seccomp(2), and prctl(2) for the same: rtrace may make it fail, or may see less afterwards."""
    name, arguments = request.architecture.names[request.number], request.arguments
    operation = arguments[0] & INT_MASK
    if name == "prctl":
        if operation == PR_SET_SECCOMP and arguments[1] & INT_MASK == SECCOMP_MODE_STRICT:
            request.tracee.awaited = partial(finish_filter, context, request, "strict")
    elif operation == SECCOMP_SET_MODE_STRICT:
        request.tracee.awaited = partial(finish_filter, context, request, "strict")
    elif operation == SECCOMP_SET_MODE_FILTER and arguments[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER:
        request.tracee.awaited = partial(finish_filter, context, request, "listener")


def finish_filter(context: Context, request: Request, what: str, result: int) -> None:
    """Tell of a filter that was refused because rtrace has one, and of one that hides calls from rtrace."""
    program = context.program(request.tracee)
    if result == (-EBUSY if what == "listener" else -EINVAL):
        context.notices.add_refusal(what, program)
    elif result >= 0 and what == "listener":
        context.notices.add_escape("seccomp", program)


def note_served(context: Context, request: Request, name: str) -> bytes | None:
    """Stay out of a FUSE filesystem that is being mounted: its server is probably part of the run.

    To look at a file in it would wait for the server, which may itself be waiting for the answer to a call of its own.
    Returns its mount point; None for another filesystem.
    """
    tracee, arguments = request.tracee, request.arguments
    if name != "move_mount" and not tracee.read_string(arguments[0 if name == "fsopen" else 2]).startswith(b"fuse"):
        return None
    if name == "fsopen":
        context.serving = True
        return None
    if name == "move_mount" and not context.serving:
        return None
    dirfd, address = (AT_FDCWD, arguments[1]) if name == "mount" else (arguments[2] & INT_MASK, arguments[3])
    path = tracee.read_string(address)
    walk = context.walk(tracee, context.base(tracee, dirfd, path), path, follow=True)
    if walk is not None:
        context.use(tracee.process, walk, LOOKUP)
        context.walker.served.add(walk.path)
        return walk.path
    return None
