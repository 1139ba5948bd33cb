"""Executions: what execve was asked, what the kernel loads for it, and that it happened."""

from __future__ import annotations

import contextlib
import os
import stat

from rtrace.capture.books.path_state import PathState, Uses
from rtrace.capture.books.rows import ExecutionRow
from rtrace.capture.books.unobserved import MISSING, REFUSED
from rtrace.capture.calls.context import Context, Request
from rtrace.capture.calls.loading import Execution, Loading
from rtrace.capture.calls.privileges import find_lost_privileges, gives_privileges
from rtrace.capture.kernel.call_table import AT_FDCWD
from rtrace.capture.kernel.executable import is_direct, read_interpreter
from rtrace.capture.processes.tracee import Tracee
from rtrace.linux.interfaces import WIDE_POINTER
from rtrace.trace.schema import Use

LOOKUP, EXECUTE = int(Use.LOOKUP), int(Use.EXECUTE)
STACK_READ = 1 << 15  # bytes; enough for most environments, and less than a program's stack may grow by
MAX_INTERPRETERS = 5  # the kernel's limit on chains of interpreters, fs/exec.c


def begin_execution(context: Context, request: Request) -> None:
    """Note that execve(2) is about to happen; it may still fail."""
    tracee, arguments = request.tracee, request.arguments
    walk = context.walk_argument(request, follow=True)
    context.executions.pop(tracee.tid, None)
    if walk is None or (walk.volatile and walk.path.startswith(b"/proc/")):  # a file without a name: memfd_create(2)
        return
    state = context.use(tracee.process, walk, LOOKUP)
    if walk.missing is not None:
        return
    status = walk.status or os.lstat(walk.path)
    if not stat.S_ISREG(status.st_mode):
        return
    loading = find_loading(context, tracee, state, status)
    argv = None
    word, pointer = request.architecture.word, arguments[request.call.other_path]
    if not loading.direct:
        argv = tracee.read_arguments(pointer, word)
    context.executions[tracee.tid] = Execution(state, loading, argv, context.cwd(tracee), context.ledger.now())


def find_loading(context: Context, tracee: Tracee, program: PathState, status: os.stat_result) -> Loading:
    """Find the files that the kernel loads to execute a program: its chain of interpreters, with their symlinks."""
    identity = (status.st_dev, status.st_ino, status.st_mtime_ns)
    remembered = context.loadings.get(program.path)
    if remembered is not None and remembered.identity == identity:
        return remembered
    found: Uses = []
    path = program.path
    for _ in range(MAX_INTERPRETERS):
        interpreter = find_interpreter(context, tracee, path)
        if interpreter is None:
            break
        walk = context.walk(tracee, context.base(tracee, AT_FDCWD, interpreter), interpreter, follow=True)
        if walk is None:
            break
        found.append((context.state(walk), EXECUTE))
        found += [(context.ledger.state(link), LOOKUP) for link in walk.passed]
        path = walk.path
    privileged = gives_privileges(program.path, status)
    loading = context.loadings[program.path] = Loading(identity, found, is_direct(program.path), privileged)
    return loading


def find_interpreter(context: Context, tracee: Tracee, path: bytes) -> bytes | None:
    """Return the program that the kernel loads to execute a file; None if there is none, or nobody can know."""
    try:
        return read_interpreter(path)
    except OSError as error:
        if error.errno in REFUSED:
            context.notices.add(
                "unreadable",
                f"{os.fsdecode(path)} may be executed and not read, so neither it nor what loads it is known",
                "trace and pack as a user who may read it",
            )
        elif error.errno not in MISSING:
            error.filename = path
            context.notices.add_unobserved(context.program(tracee), error)
        return None


def note_execution(context: Context, tracee: Tracee, stack: int, word: int) -> None:
    """Note that the execve which a thread had begun happened: the kernel has just stopped it in its new program.

    ``stack`` is its stack pointer, 0 where the kernel does not tell; ``word`` its pointers' size in bytes.
    """
    arguments, content = read_beginning(tracee, stack, word)
    execution = context.executions.pop(tracee.tid, None)
    if execution is None:
        return
    process, ledger = tracee.process, context.ledger
    if execution.loading.privileged:
        with contextlib.suppress(FileNotFoundError):  # the thread was killed meanwhile
            lost = find_lost_privileges(tracee, execution.state.path)
            if lost is not None:
                context.notices.add_privileges(lost, os.fsdecode(execution.state.path))
    ledger.use(process, execution.state, EXECUTE)
    for loader, use in execution.loading.uses:
        ledger.use(process, loader, use)
    environment = context.environments.get(content)
    if environment is None:
        environment = context.environments[content] = context.first_environment + len(context.environments)
        ledger.journal.pending["environments"].append((environment, content))
    if execution.argv is not None:
        arguments = b"".join(argument + b"\0" for argument in execution.argv)
    ledger.journal.pending["executions"].append(
        ExecutionRow(
            run=ledger.run,
            process=process.id,
            time=execution.time,
            path=execution.state.id,
            argv=arguments,
            environment=environment,
            workingdir=execution.workingdir,
        )
    )


def read_beginning(tracee: Tracee, stack: int, word: int) -> tuple[bytes, bytes]:
    """Read the arguments and the environment that a program begins with, each string with its NUL.

    One read of its stack is enough for most (there the kernel lays argc, argv, envp and then the strings, see its
    fs/binfmt_elf.c), and its memory is about to be read anyway; the files of proc(5) take three calls each.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        if stack:
            data = tracee.read(stack, STACK_READ)
            words = memoryview(data)[: len(data) // 8 * 8].cast("Q" if word == WIDE_POINTER else "I")
            first = words[0] + 2
            last = first
            while words[last]:
                last += 1
            begin, middle = words[1] - stack, (words[first] if last > first else 0) - stack
            if words[0] and 0 < begin < middle and words[last - 1] - stack >= middle:
                end = data.index(0, words[last - 1] - stack) + 1
                return data[begin:middle], data[middle:end]
    return read_file(f"/proc/{tracee.tid}/cmdline"), read_file(f"/proc/{tracee.tid}/environ")


def read_file(path: str) -> bytes:
    """Read a file of proc(5); nothing when the process is gone."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""
