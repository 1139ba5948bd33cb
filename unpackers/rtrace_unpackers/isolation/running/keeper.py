"""The process between the caller and a replay. It is in all of the replay's namespaces but that of PIDs, and ends it.

It dies only after the first process, whatever happens to the caller, and gives the caller's terminal its mode back.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rtrace_unpackers.isolation.kernel.namespaces import Namespace, unshare
from rtrace_unpackers.isolation.kernel.privileges import become_readable, die_with_parent
from rtrace_unpackers.isolation.planning.isolation_plan import Isolation
from rtrace_unpackers.isolation.planning.steps import Stage
from rtrace_unpackers.isolation.running.first_process import FAILED, STANDARD, Means, be_first_process
from rtrace_unpackers.isolation.running.report import write_record
from rtrace_unpackers.isolation.running.sockets import make_sockets
from rtrace_unpackers.isolation.streams import terminal
from rtrace_unpackers.isolation.users.access import MappedBy
from rtrace_unpackers.isolation.users.user_namespace import write_to
from rtrace_unpackers.limits.resources import Resources, forbid_core_dumps, unpack_resources

_NAMES = (
    "HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "URG", "TSTP", "CONT",
)  # fmt: skip
FORWARDED = tuple(getattr(signal, f"SIG{name}") for name in _NAMES if hasattr(signal, f"SIG{name}")) + tuple(
    range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()
)
"""What the caller hands on. SIGTSTP and SIGCONT stop and continue all processes of a replay."""

LONGEST_ANSWER = 4096
MOST_MOUNTS = 2
READY, MAPPED = b"r", b"m"
"""What is said through the channel: there is a user namespace; it is mapped, here are limits and the tree's mount."""


@dataclass(frozen=True, slots=True)
class ProgramEnds:
    """What the keeper has besides the means: the tree's directory, the program's streams, the caller's terminal.

    A stream that is None comes from inside: the null device, or the terminal.
    """

    tree: int
    streams: tuple[int | None, int | None, int | None]
    terminal: int | None = None


def be_keeper(isolation: Isolation, means: Means, ends: ProgramEnds) -> int:
    """Enter new namespaces, fork their first process, and stay outside as the one who can end it."""
    caller, callers_group = os.getppid(), os.getpgrp()
    os.setpgid(0, 0)  # a signal to the caller's group would hide the one that the caller hands on
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would reap children before they are waited for
    forbid_core_dumps()
    connect_streams(ends.streams)
    sys.path.clear()  # nobody may import from below the new root
    sys.meta_path.clear()
    doing = "enter the target"
    try:
        os.fchdir(ends.tree)
        pipes = (pipe for _, pipe in means.pipes)
        sockets = None if means.sockets is None else means.sockets.fileno()
        told = None if means.frozen is None else means.frozen.told
        close_others({means.launcher, means.report, means.channel.fileno(), ends.terminal, sockets, told, *pipes})
        doing = "get namespaces of its own"
        unshare(Namespace.USER)
        doing = "map users in a namespace"
        mounts, resources = enter_user_namespace(isolation, means)
        doing = "get namespaces of its own"
        if means.sockets is not None:
            unshare(Namespace.NET)
            fork_socket_maker(means.sockets)
        gate = None if means.frozen is None else means.frozen.fork(leave)
        unshare(isolation.namespaces & ~own_already(means))
        die_with_parent(signal.SIGABRT)
        if os.getppid() != caller:
            return FAILED
        doing = "start a process in its namespaces"
        alive, end_of_life = os.pipe()
        first = os.fork()
    except OSError as error:
        write_record(means.report, Stage.NAMESPACES, error.errno or 0, doing)
        return FAILED
    if first == 0:
        status = FAILED
        try:
            die_with_parent(signal.SIGKILL)
            os.close(end_of_life)
            if not select.select([alive], [], [], 0)[0]:  # else the keeper died before that call
                status = be_first_process(isolation, means, mounts, resources, gate)
        finally:
            os._exit(status)
    if gate is not None:
        gate.tell(first)
    status, was_cut_short = keep(first, caller)
    if was_cut_short and means.appearance is not None and ends.terminal is not None:
        # The caller may have been killed. What is left of it may still be there: its other threads end a little later.
        terminal.restore_for(callers_group, ends.terminal, means.appearance)
    return status


def own_already(means: Means) -> Namespace:
    """Return the namespaces that are there before the rest."""
    return Namespace.USER | Namespace.NET if means.sockets is not None else Namespace.USER


def fork_socket_maker(channel: socket.socket) -> None:
    """Fork the process that makes sockets, before there is a PID namespace: nobody in that can see it."""
    keeper = os.getpid()
    if os.fork() == 0:
        status = FAILED
        try:
            close_others({channel.fileno()})
            status = make_sockets(channel, keeper)
        finally:
            os._exit(status)
    channel.close()


def leave(kept: set[int | None]) -> None:
    """In a process beside the keeper: end with it, and keep of its descriptors these alone."""
    die_with_parent(signal.SIGKILL)
    close_others(kept)


def connect_streams(ends: Sequence[int | None]) -> None:
    """Put the program's ends at 0, 1 and 2; where there is none yet, the first process finds something."""
    null = os.open(os.devnull, os.O_RDWR)
    copies = [os.dup(null if end is None else end) for end in ends]
    for number, copy in enumerate(copies):
        os.dup2(copy, number)


def close_others(kept: set[int | None]) -> None:
    """Close every descriptor but the standard ones and these: an open directory is a way out of a chroot."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor >= STANDARD and descriptor not in kept:
            with contextlib.suppress(OSError):  # EBADF: the one that listed them
                os.close(descriptor)


def enter_user_namespace(isolation: Isolation, means: Means) -> tuple[Sequence[int], Resources]:
    """Map the new namespace's ids, or have the caller do it.

    Return the mounts that the caller made, and the limits that each process gets.
    """
    access = isolation.access
    if access.mapped_by is MappedBy.ITSELF:
        write_to("/proc/self/setgroups", "deny")
        write_to("/proc/self/uid_map", access.maps.users.render())
        write_to("/proc/self/gid_map", access.maps.groups.render())
    means.channel.send(READY)
    answer, descriptors, _, _ = socket.recv_fds(means.channel, LONGEST_ANSWER, MOST_MOUNTS)
    if not answer.startswith(MAPPED):
        os._exit(FAILED)  # the caller could not, and knows why
    if access.has_groups:
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        become_readable()
    return descriptors, unpack_resources(answer[len(MAPPED) :])


def keep(first: int, caller: int) -> tuple[int, bool]:
    """Wait for the first process, handing on what the caller sends; SIGABRT means: kill it all.

    Return the status to exit with, and whether all was killed.
    """
    was_cut_short = False
    while True:
        info = signal.sigwaitinfo({signal.SIGCHLD, signal.SIGABRT, *FORWARDED})
        if info.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(first, os.WNOHANG)
            if pid == first:
                return (FAILED if status else 0), was_cut_short
        elif info.si_code <= 0 and info.si_pid == caller:
            was_cut_short = was_cut_short or info.si_signo == signal.SIGABRT
            os.kill(first, signal.SIGKILL if info.si_signo == signal.SIGABRT else info.si_signo)
