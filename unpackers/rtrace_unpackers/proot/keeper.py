"""The process between the caller and proot, or another tool. All descendants are its own in the end, and it ends them.

caller -- fork --> keeper -- fork --> proot -- fork --> launcher -- fork --> program
^ ^                                   |                  |
| +------------- report (a pipe) -----|------------------+
+--------------- channel (a socket): limits go in, the terminal comes out
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rtrace.linux.libc import control, forbid_new_privileges
from rtrace.linux.seccomp import install_filter
from rtrace_unpackers.isolation.kernel.privileges import die_with_parent, join_new_session_keyring
from rtrace_unpackers.isolation.planning.isolation_plan import DEVICES
from rtrace_unpackers.isolation.planning.steps import Stage
from rtrace_unpackers.isolation.running.first_process import FAILED, Means, arrange_descriptors, give_null_device
from rtrace_unpackers.isolation.running.keeper import (
    FORWARDED,
    LONGEST_ANSWER,
    MAPPED,
    READY,
    ProgramEnds,
    close_others,
    connect_streams,
)
from rtrace_unpackers.isolation.running.report import write_record
from rtrace_unpackers.isolation.streams import terminal
from rtrace_unpackers.limits.resources import Resources, apply, forbid_core_dumps, unpack_resources
from rtrace_unpackers.limits.usage import list_descendants
from rtrace_unpackers.proot.plan import (
    DEVICES_FOLDER,
    KEPT_MEMORY,
    LAUNCHER,
    LINKS,
    OWN_FOLDER,
    PR_SET_CHILD_SUBREAPER,
    SHARED_MEMORY_FOLDER,
    Tracing,
)

GROUP_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""They are for a group, as from a terminal."""


@dataclass(frozen=True, slots=True)
class Tool:
    """What is between the keeper and a replay: its name, what becomes it, and who hands a signal on to the replay.

    ``launcher`` is where in the workspace it finds the first process's program. What hands a signal on gets its number
    and the tool's process, and whether the program leads a process group.
    """

    name: str
    launcher: bytes
    become: Callable[[Means, Resources], None]
    hand_on: Callable[[int, int, bool], None]


def furnish(workspace: Path, kept: bytes | None) -> None:
    """Make what proot shows as /dev, and the folder for proot's own files; ``kept`` is the tree's own /dev/shm."""
    place = os.fsencode(workspace)
    if kept is not None:
        os.symlink(kept, os.path.join(place, KEPT_MEMORY))
    for folder in (DEVICES_FOLDER, OWN_FOLDER, SHARED_MEMORY_FOLDER, DEVICES_FOLDER + b"/pts"):
        os.mkdir(os.path.join(place, folder), 0o700)
    os.chmod(os.path.join(place, DEVICES_FOLDER), 0o755)  # noqa: S103 -- the workspace around it is closed
    for name in DEVICES:
        os.close(os.open(os.path.join(place, DEVICES_FOLDER, name), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    for name, target in LINKS:
        os.symlink(target, os.path.join(place, DEVICES_FOLDER, name))


def be_keeper(means: Means, ends: ProgramEnds, tool: Tool, workspace: Path) -> int:
    """Fork the tool, and stay as the one who can end it."""
    caller, callers_group = os.getppid(), os.getpgrp()
    os.setpgid(0, 0)  # a signal to the caller's group would hide the one that the caller hands on
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    forbid_core_dumps()
    connect_streams(ends.streams)
    doing = f"prepare a replay under {tool.name}"
    try:
        os.chdir(workspace)
        pipes = (pipe for _, pipe in means.pipes)
        close_others({means.launcher, means.report, means.channel.fileno(), ends.terminal, *pipes})
        control(PR_SET_CHILD_SUBREAPER, 1)
        write_launcher(means.launcher, tool.launcher)
        means.channel.send(READY)
        answer = means.channel.recv(LONGEST_ANSWER)
        if not answer.startswith(MAPPED):
            return FAILED
        die_with_parent(signal.SIGABRT)
        if os.getppid() != caller:
            return FAILED
        doing = f"start {tool.name}"
        process = os.fork()
    except OSError as error:
        write_record(means.report, Stage.SETUP, error.errno or 0, doing)
        return FAILED
    if process == 0:
        try:
            die_with_parent(signal.SIGKILL)
            tool.become(means, unpack_resources(answer[len(MAPPED) :]))
        finally:
            os._exit(FAILED)
    was_cut_short = keep(tool, process, caller, leads_group=means.appearance is not None)
    if was_cut_short and means.appearance is not None and ends.terminal is not None:
        terminal.restore_for(callers_group, ends.terminal, means.appearance)
    return 0


def write_launcher(launcher: int, path: bytes) -> None:
    """Write the first process's program where the tool finds it."""
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o500), "wb") as file:
        file.write(os.pread(launcher, os.fstat(launcher).st_size, 0))


def make_tool(tracing: Tracing) -> Tool:
    """Return proot as the tool of a keeper."""

    def become(means: Means, resources: Resources) -> None:
        be_proot(means, tracing, resources)

    return Tool("proot", os.path.join(DEVICES_FOLDER, LAUNCHER), become, hand_on)


def be_proot(means: Means, tracing: Tracing, resources: Resources) -> None:
    """Become proot; return only when that failed."""
    doing, report = "connect its standard streams", means.report
    try:
        os.setsid()
        if means.appearance is not None:
            tracing = replace(tracing, terminal=give_terminal(means, means.appearance))
        give_null_device(means.absent)
        with contextlib.suppress(PermissionError):  # where nobody may have one, as in a container, the run has none
            join_new_session_keyring()
        doing = "limit its resources"
        apply(resources)
        forbid_new_privileges()
        os.close(arrange_descriptors(means))
        report = means.report_number
        doing = "filter system calls"
        install_filter(means.filter)
        doing = "start proot"
        own = os.path.join(os.getcwdb(), OWN_FOLDER)
        os.execve(tracing.proot, tracing.list_arguments(), {b"PROOT_TMP_DIR": own, b"PROOT_NO_SECCOMP": b"1"})
    except OSError as error:
        number = errno.EIO if error.errno in {errno.EPERM, errno.EACCES} else error.errno  # they stand for namespaces
        write_record(report, Stage.SETUP, number or 0, doing)


def give_terminal(means: Means, appearance: terminal.Appearance) -> bytes:
    """Make the program's terminal, one of the machine's; its other end goes to the caller. Return its path."""
    master, slave = terminal.make_terminal(appearance)
    socket.send_fds(means.channel, [b"t"], [master])
    os.close(master)
    path = os.fsencode(os.ttyname(slave))
    for number in means.on_terminal:
        os.dup2(slave, number)
    os.close(slave)
    return path


def keep(tool: Tool, process: int, caller: int, *, leads_group: bool) -> bool:
    """Wait until a tool and all below it have ended, handing on what the caller sends; SIGABRT means: kill it all.

    Return whether all was killed.
    """
    was_cut_short = False
    while True:
        info = signal.sigwaitinfo({signal.SIGCHLD, signal.SIGABRT, *FORWARDED})
        if info.si_signo == signal.SIGCHLD:
            if has_ended(process):
                kill_all()  # what nobody translates any more would see the machine's files
                return was_cut_short
        elif info.si_code <= 0 and info.si_pid == caller:
            if info.si_signo == signal.SIGABRT:
                kill_all()
                return True
            tool.hand_on(info.si_signo, process, leads_group)


def has_ended(process: int) -> bool:
    """Reap what has ended; return whether a tool is among that."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            if ended == process:
                return True
    return False


def kill_all() -> None:
    """Kill all descendants, however fast they fork: what is stopped forks no more."""
    while True:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            send(number, [process for process in list_descendants(os.getpid()) if process != os.getpid()])
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def hand_on(number: int, proot: int, leads_group: bool) -> None:  # noqa: FBT001 -- as `Tool` has it
    """Hand a signal on as a first process does that is an init of its own."""
    launcher = find_first_child(proot)
    program = None if launcher is None else find_first_child(launcher)
    if launcher is None or program is None:
        return
    if number in {signal.SIGTSTP, signal.SIGCONT}:
        below = [process for process in list_descendants(launcher) if process != launcher]
        send(signal.SIGSTOP if number == signal.SIGTSTP else number, below)
    elif number in GROUP_SIGNALS:
        send(number, [-(program if leads_group else launcher)])
    else:
        send(number, [program])


def find_first_child(process: int) -> int | None:
    """Return the first process that a process has forked and that is still there."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_bytes().split()
    except OSError:  # ENOENT, ESRCH: it has ended meanwhile
        return None
    return int(children[0]) if children else None


def send(number: int, processes: Sequence[int]) -> None:
    """Send a signal to processes, or to groups by their negated numbers; what has ended needs none."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
