"""The system calls of a replay's first process and of its program before that starts, as values.

The launcher makes them, one after the other; nothing of Python is left by then. A result may be used once as an
argument of a later call, or by its address.
"""

from __future__ import annotations

import os
import signal
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from rtrace.files.hierarchy import is_in_memory
from rtrace.manifest.model import LARGEST_DESCRIPTOR, Input
from rtrace_unpackers.isolation.planning.isolation_plan import DEVICES_OPENED as DEVICES
from rtrace_unpackers.isolation.planning.isolation_plan import Program

REPORT = 3
"""The descriptor on which the launcher reports, unless the program needs it."""

AT_FDCWD = -100
O_PATH, O_CLOEXEC, O_NONBLOCK, O_NOCTTY, O_APPEND = 0o10000000, 0o2000000, 0o4000, 0o400, 0o2000
ACCESS = {"read": 0, "write": 1, "read write": 2, "write append": 1, "read write append": 2}
RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 0x01, 0x02, 0x10
F_SETFD, FD_CLOEXEC, F_SETFL, F_DUPFD_CLOEXEC = 2, 1, 4, 1030
TIOCSCTTY, TIOCSPGRP = 0x540E, 0x5410
PR_SET_DUMPABLE, PR_SET_NAME = 4, 15
SIG_BLOCK, SIG_SETMASK = 0, 2
EVERY_SIGNAL = b"\xff" * 8
NO_SIGNAL = bytes(8)


class Stage(IntEnum):
    """What a report is about. The first three are the launcher's own; see namespaces.c."""

    ENDED = 1
    STOPPED = 2
    FORK = 3
    SESSION = 4
    WORKINGDIR = 5
    IDENTITY = 6
    STDIN = 7
    EXECUTE = 8
    NAMESPACES = 20
    SETUP = 21
    DESCRIPTOR = 22


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call, by a name; ``by_address`` stands for where it is, not for what it is."""

    name: str
    by_address: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """A program of seccomp(2); what stands for it is the address of its ``struct sock_fprog``."""

    program: bytes


Argument: TypeAlias = "int | bytes | tuple[bytes, ...] | CallResult | Filter"
"""A number; the address of bytes with a NUL behind them; that of an array of such addresses; a result; a filter."""


@dataclass(frozen=True, slots=True)
class Step:
    """A system call. If it fails, the launcher reports ``stage`` and errno, and ends; without a stage it goes on."""

    call: str
    arguments: tuple[Argument, ...] = ()
    stage: Stage | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of the first process before it forks the program, of the program, of the first process after."""

    before: tuple[Step, ...]
    program: tuple[Step, ...]
    after: tuple[Step, ...]
    leads_group: bool = False
    """Whether the program is a process group of its own; else it is in that of the first process."""
    report: int = REPORT
    """The descriptor on which the launcher reports."""


def plan_last_calls(program: Program, *, has_terminal: bool) -> Steps:
    """Plan the last steps of a replay: a session of its own, its ids, directory and standard input, and the program.

    The set-up is done and the root is the tree; privileges are limited, and the filter of calls is installed.
    """
    before = (
        Step("prctl", (PR_SET_NAME, b"rtrace")),
        Step("prctl", (PR_SET_DUMPABLE, 0)),
        Step("rt_sigprocmask", (SIG_BLOCK, EVERY_SIGNAL, 0, 8)),
        Step("setsid", (), Stage.SESSION),
        *((Step("ioctl", (1, TIOCSCTTY, 0), Stage.SESSION),) if has_terminal else ()),
    )
    # One end of the terminal stays open: without any, its other end would tell the caller that all is over.
    left = (*range(3), *(one.number for one in program.pipes))
    after = tuple(Step("close", (number,)) for number in left if not (has_terminal and number == 1))
    steps = plan_program(program, has_terminal=has_terminal)
    return Steps(before, steps, after, leads_group=has_terminal, report=choose_report(program))


def choose_report(program: Program) -> int:
    """Return the first descriptor from `REPORT` on that the program is not given, nor a copy of."""
    taken = {number for one in program.descriptors for number in (one.number, one.same)}
    return next(number for number in range(REPORT, LARGEST_DESCRIPTOR + REPORT) if number not in taken)


def plan_program(program: Program, *, has_terminal: bool) -> tuple[Step, ...]:
    """Plan the program's own steps; it enters its directory as root, and opens its standard input as itself."""
    groups = struct.pack(f"={len(program.groups or ())}I", *(program.groups or ()))
    return (
        Step("fcntl", (choose_report(program), F_SETFD, FD_CLOEXEC), Stage.SESSION),
        *(plan_foreground() if has_terminal else ()),
        *open_inside(program.workingdir, O_PATH, 0, Stage.WORKINGDIR, "workingdir"),
        Step("fchdir", (CallResult("workingdir"),), Stage.WORKINGDIR),
        *((Step("setgroups", (len(program.groups), groups), Stage.IDENTITY),) if program.groups is not None else ()),
        Step("setresgid", (program.gid,) * 3, Stage.IDENTITY),
        Step("setresuid", (program.uid,) * 3, Stage.IDENTITY),
        Step("umask", (program.umask,)),
        *(plan_input(program.stdin) if program.stdin is not None and not program.stdin.pipe else ()),
        *plan_descriptors(program),
        *plan_execution(program),
    )


def plan_foreground() -> tuple[Step, ...]:
    """Plan to make the program a process group of its own, and the one that the terminal reads for."""
    return (
        Step("setpgid", (0, 0), Stage.SESSION),
        Step("getpid", (), Stage.SESSION, "group"),
        Step("ioctl", (1, TIOCSPGRP, CallResult("group", by_address=True)), Stage.SESSION),
    )


def plan_input(stdin: Input) -> tuple[Step, ...]:
    """Plan to make a file of the bundle standard input, at its offset; never wait for a FIFO's writer."""
    return (
        *open_inside(stdin.path, O_NONBLOCK | O_NOCTTY, keep_within(stdin.path), Stage.STDIN, "stdin"),
        Step("dup3", (CallResult("stdin"), 0, 0), Stage.STDIN),
        Step("fcntl", (0, F_SETFL, 0), Stage.STDIN),
        *((Step("lseek", (0, stdin.offset, os.SEEK_SET), Stage.STDIN),) if stdin.offset else ()),
    )


def keep_within(path: bytes) -> int:
    """Return the flag that keeps an open file on the tree's own file system, which harmless devices are not on."""
    return 0 if path in DEVICES else choose_mounts(path)


def plan_descriptors(program: Program) -> tuple[Step, ...]:
    """Plan to open what the program is given besides its standard streams; pipes are there already.

    What is opened is moved out of the way first: it may have got a number that something else is to have.
    """
    steps: list[Step] = []
    beyond = max((one.number for one in program.descriptors), default=0) + REPORT
    for one in program.descriptors:
        number, name = one.number, f"descriptor {one.number}"
        if one.kind == "same":
            steps.append(Step("dup3", (one.same or 0, number, 0), Stage.DESCRIPTOR))
        if one.kind in {"pipe", "same", "closed"} or number < REPORT:
            continue
        path, access = (one.path or b"", one.access) if one.kind == "file" else (b"/dev/null", "read write")
        append = O_APPEND if "append" in access else 0
        steps += (
            *open_inside(
                path, ACCESS[access] | append | O_NONBLOCK | O_NOCTTY, keep_within(path), Stage.DESCRIPTOR, name
            ),
            Step("fcntl", (CallResult(name), F_DUPFD_CLOEXEC, beyond), Stage.DESCRIPTOR, f"{name} aside"),
            Step("dup3", (CallResult(f"{name} aside"), number, 0), Stage.DESCRIPTOR),
            Step("fcntl", (number, F_SETFL, append), Stage.DESCRIPTOR),
            *((Step("lseek", (number, one.offset, os.SEEK_SET), Stage.DESCRIPTOR),) if one.offset else ()),
        )
    return (*steps, *(Step("close", (number,)) for number in sorted(program.closed)))


def plan_execution(program: Program) -> tuple[Step, ...]:
    """Plan to execute the program, once its path leads to a file of the tree, through no door of /proc.

    It is executed by its path, not by the descriptor of the check: a script's interpreter has to find it, and the name
    of the process is the file's. Nobody else can change the tree in between.
    """
    is_absolute = program.binary.startswith(b"/")
    checked = (
        open_inside(program.binary, O_PATH, choose_mounts(program.binary), Stage.EXECUTE, None)
        if is_absolute
        else (open_by(AT_FDCWD, program.binary, O_PATH, RESOLVE_NO_MAGICLINKS, Stage.EXECUTE, None),)
    )
    return (
        *checked,
        *(Step("rt_sigaction", (int(number), bytes(32), 0, 8)) for number in (signal.SIGPIPE, signal.SIGXFSZ)),
        Step("rt_sigprocmask", (SIG_SETMASK, NO_SIGNAL, 0, 8)),
        Step("execve", (program.binary, program.argv, program.environ), Stage.EXECUTE),
    )


def choose_mounts(path: bytes) -> int:
    """Return the flag that keeps a path out of what is mounted in the tree, but for the tree's own /dev/shm."""
    return 0 if is_in_memory(path) else RESOLVE_NO_XDEV


def open_inside(path: bytes, flags: int, resolve: int, stage: Stage, result: str | None) -> tuple[Step, ...]:
    """Plan to open a path with the root as the end of the world: no ``..`` and no link leads out of it."""
    root = f"root of {stage.name if result is None else result}"
    return (
        Step("openat", (AT_FDCWD, b"/", O_PATH | O_CLOEXEC), stage, root),
        open_by(CallResult(root), path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve, stage, result),
    )


def open_by(
    directory: int | CallResult, path: bytes, flags: int, resolve: int, stage: Stage, result: str | None
) -> Step:
    """Plan one openat2(2) with its ``struct open_how``: flags, mode, resolve."""
    how = struct.pack("=QQQ", flags | O_CLOEXEC, 0, resolve)
    return Step("openat2", (directory, path, how, len(how)), stage, result)
