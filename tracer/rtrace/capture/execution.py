"""Executions: what execve was asked, what the kernel loads for it, and that it happened."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from rtrace.capture.call_memory import Uses
from rtrace.capture.calls import AT_FDCWD
from rtrace.capture.context import Context, Request
from rtrace.capture.executable import read_interpreter
from rtrace.capture.ledger import PathState
from rtrace.capture.tracee import Tracee
from rtrace.trace.schema import Use

LOOKUP, EXECUTE = int(Use.LOOKUP), int(Use.EXECUTE)
MAX_INTERPRETERS = 5  # the kernel's limit on chains of interpreters, fs/exec.c


@dataclass(slots=True)
class Execution:
    """An execve that has begun: kept until the kernel says that it happened."""

    state: PathState
    loaders: Uses
    argv: tuple[bytes, ...]
    workingdir: bytes
    time: int


def begin_execution(context: Context, request: Request) -> None:
    """Note that execve(2) is about to happen; it may still fail."""
    tracee, arguments = request.tracee, request.arguments
    walk = context.walk_argument(request, follow=True)
    tracee.execution = None
    if walk is None or (walk.volatile and walk.path.startswith(b"/proc/")):  # a file without a name: memfd_create(2)
        return
    state = context.use(tracee.process, walk, LOOKUP)
    if walk.missing is not None or not stat.S_ISREG(os.lstat(walk.path).st_mode):
        return
    tracee.execution = Execution(
        state=state,
        loaders=find_loaders(context, tracee, state),
        argv=tracee.read_arguments(arguments[request.call.other_path], request.architecture.word),
        workingdir=context.cwd(tracee),
        time=context.ledger.now(),
    )


def find_loaders(context: Context, tracee: Tracee, program: PathState) -> Uses:
    """Find the files that the kernel loads to execute a program: its chain of interpreters, links included."""
    status = os.lstat(program.path)
    identity = (status.st_dev, status.st_ino, status.st_mtime_ns)
    remembered = context.loaders.get(program.path)
    if remembered is not None and remembered[0] == identity:
        return remembered[1]
    found: Uses = []
    path = program.path
    for _ in range(MAX_INTERPRETERS):
        interpreter = read_interpreter(path)
        if interpreter is None:
            break
        walk = context.walk(tracee, context.base(tracee, AT_FDCWD, interpreter), interpreter, follow=True)
        if walk is None:
            break
        found.append((context.state(walk), EXECUTE))
        found += [(context.ledger.state(link), LOOKUP) for link in walk.links]
        path = walk.path
    context.loaders[program.path] = (identity, found)
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID) and os.geteuid() != 0:
        context.notices.add(
            "set-uid",
            f"{os.fsdecode(program.path)} is set-uid, and the kernel gives a traced program no privileges",
            "trace as root if the run needs them",
        )
    return found


def note_execution(context: Context, tracee: Tracee) -> None:
    """Note that the execve which a thread had begun happened: the kernel has just stopped it in its new program."""
    tracee.forget_memory()
    execution, tracee.execution = tracee.execution, None
    if not isinstance(execution, Execution):
        return
    process, ledger = tracee.process, context.ledger
    ledger.use(process, execution.state, EXECUTE)
    for loader, use in execution.loaders:
        ledger.use(process, loader, use)
    try:
        with open(f"/proc/{tracee.tid}/environ", "rb") as file:
            content = file.read()
    except OSError:
        content = b""
    environment = context.environments.get(content)
    if environment is None:
        environment = context.environments[content] = context.first_environment + len(context.environments)
        ledger.journal.pending["environments"].append((environment, content))
    argv = b"".join(argument + b"\0" for argument in execution.argv)
    row = (ledger.run, process.id, execution.time, execution.state.id, argv, environment, execution.workingdir)
    ledger.journal.pending["executions"].append(row)
