"""The first process of a replay's PID namespace: sets up the world, gives up its rights, and becomes the launcher.

    caller -- fork --> keeper -- unshare, fork --> first process (PID 1) == execveat ==> launcher -- fork --> program
      ^ ^                                                |                                  |
      | +------------- report (a pipe) ------------------+----------------------------------+
      +--------------- channel (a socket): the mount of the tree goes in, the terminal comes out

Once the root is changed, nothing may be imported: ``sys.path`` would be looked up in the bundle's files. Nothing of
Python, no file and no descriptor of the machine is left when the launcher runs.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.linux.libc import forbid_new_privileges
from rtrace.linux.seccomp import install_filter
from rtrace_unpackers.isolation.kernel.executing import execute_descriptor
from rtrace_unpackers.isolation.kernel.privileges import join_new_session_keyring, keep_capabilities
from rtrace_unpackers.isolation.planning.isolation_plan import KEPT_CAPABILITIES, Isolation
from rtrace_unpackers.isolation.planning.steps import REPORT, Stage
from rtrace_unpackers.isolation.running.perform import describe_operation, perform
from rtrace_unpackers.isolation.running.report import write_record
from rtrace_unpackers.isolation.streams.terminal import Appearance, make_terminal
from rtrace_unpackers.limits.resources import Resources, apply

if TYPE_CHECKING:  # a replay that is not frozen does not load it
    from rtrace_unpackers.isolation.running.freezer import Frozen, Gate

FAILED = 1
STANDARD = 3
"""How many descriptors are standard ones."""


@dataclass(frozen=True, slots=True)
class Means:
    """What the processes of a replay are given: descriptors of launcher, report and channel, the filter, and streams.

    ``filter`` is the program of seccomp. ``absent`` are the standard
    streams for which there is nothing to read or write. ``appearance`` is that of the caller's terminal when the
    program gets one of its own, as its streams ``on_terminal``.
    """

    launcher: int
    report: int
    channel: socket.socket
    filter: bytes
    absent: tuple[int, ...] = ()
    appearance: Appearance | None = None
    on_terminal: tuple[int, ...] = ()
    pipes: tuple[tuple[int, int], ...] = ()
    """Pipes that the program reads besides its standard input: the numbers it has them by, and those of now."""
    report_number: int = REPORT
    """The descriptor on which the launcher reports."""
    sockets: socket.socket | None = None
    """The channel through which the caller gets sockets of the replay's network."""
    frozen: Frozen | None = None
    """How the replay is frozen, if it is."""


def be_first_process(
    isolation: Isolation, means: Means, mounts: Sequence[int], resources: Resources, gate: Gate | None = None
) -> int:
    """Set up, and become the launcher; return only when that failed. A frozen one waits at the ``gate``."""
    for operation in isolation.setup:
        try:
            perform(operation, mounts)
        except OSError as error:
            write_record(means.report, Stage.SETUP, error.errno or 0, describe_operation(operation))
            return FAILED
    doing = "connect its standard streams"
    try:
        if means.appearance is not None:
            give_terminal(isolation, means, means.appearance)
        give_null_device(means.absent)
        doing = "get a keyring of its own"
        join_new_session_keyring()
        doing = "limit its resources"
        apply(resources)
        doing = "give up privileges"
        keep_capabilities(KEPT_CAPABILITIES)
        forbid_new_privileges()
        if gate is not None:
            doing = "be frozen, as nothing may be traced here (leave out --freeze)"
            gate.wait()
        launcher = arrange_descriptors(means)
        if means.frozen is not None:
            means.frozen.enter()
        doing = "filter system calls"
        install_filter(means.filter)
        doing = "start its first process"
        execute_descriptor(launcher, (b"rtrace",))
    except OSError as error:
        write_record(means.report, Stage.SETUP, error.errno or 0, doing)
    return FAILED


def give_terminal(isolation: Isolation, means: Means, appearance: Appearance) -> None:
    """Make the program's terminal, in the replay's own /dev/pts; its other end goes to the caller."""
    master, slave = make_terminal(appearance)
    os.fchown(slave, isolation.program.uid, -1)
    socket.send_fds(means.channel, [b"t"], [master])
    os.close(master)
    for number in means.on_terminal:
        os.dup2(slave, number)
    os.close(slave)


def give_null_device(numbers: tuple[int, ...]) -> None:
    """Make the replay's own null device some of the standard streams."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in numbers:
        os.dup2(null, number)
    os.close(null)


def arrange_descriptors(means: Means) -> int:
    """Put the report where the launcher has it and close all else; return the launcher's own, closed when it runs."""
    import fcntl

    placed = ((means.report_number, means.report), *means.pipes)
    beyond = max(REPORT, *(number for number, _ in placed)) + 1
    moved = [(number, fcntl.fcntl(now, fcntl.F_DUPFD, beyond)) for number, now in placed]
    launcher: int = fcntl.fcntl(means.launcher, fcntl.F_DUPFD_CLOEXEC, beyond)
    for number, now in moved:
        os.dup2(now, number)
    kept = {launcher, *(number for number, _ in placed)}
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor >= STANDARD and descriptor not in kept:
            with contextlib.suppress(OSError):  # EBADF: the one that listed them
                os.close(descriptor)
    return launcher
