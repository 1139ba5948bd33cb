"""Starts the command to be traced: seized by ptrace, under the filter, otherwise as the shell would have started it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import stat
from dataclasses import dataclass

from rtrace.capture import kernel
from rtrace.capture.executable import HEADER, read_interpreter
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, TracingRefusedError

DEFAULT_PATH = b"/bin:/usr/bin"  # execvp(3), when PATH is unset
SHELL = b"/bin/sh"
SEIZE_OPTIONS = (
    kernel.PTRACE_O_TRACEFORK
    | kernel.PTRACE_O_TRACEVFORK
    | kernel.PTRACE_O_TRACECLONE
    | kernel.PTRACE_O_TRACEEXEC
    | kernel.PTRACE_O_EXITKILL
)


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: the file, its arguments, and its environment item by item as the caller's own was."""

    binary: bytes
    argv: tuple[bytes, ...]
    environ: tuple[bytes, ...]


def read_own_environment() -> tuple[bytes, ...]:
    """Read the environment with which this interpreter was started, which may have changed its own copy (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        return tuple(file.read().split(b"\0")[:-1])


def find_command(argv: tuple[bytes, ...], environ: tuple[bytes, ...]) -> Command:
    """Find the file that execvp(3) would execute.

    Raises CommandNotFoundError and CommandNotExecutableError, as a shell would answer 127 and 126.
    """
    name = argv[0]
    shown = os.fsdecode(name)
    if b"/" in name:
        candidates = [name]
    else:
        path = next((item[5:] for item in environ if item.startswith(b"PATH=")), DEFAULT_PATH)
        candidates = [(folder or b".") + b"/" + name for folder in path.split(b":")]
    refused = None
    for candidate in candidates:
        try:
            status = os.stat(candidate)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and os.access(candidate, os.X_OK):
            if is_shell_text(candidate):
                return Command(SHELL, (SHELL, candidate, *argv[1:]), environ)
            return Command(candidate, argv, environ)
        refused = refused or (candidate, "a folder" if stat.S_ISDIR(status.st_mode) else "not executable")
    if refused is None:
        where = "does not exist" if b"/" in name else "is not in PATH"
        raise CommandNotFoundError(f"{shown} {where}; check its name")
    advice = "name a program in it" if refused[1] == "a folder" else f"`chmod +x {shown}` makes it executable"
    raise CommandNotExecutableError(f"{os.fsdecode(refused[0])} is {refused[1]}; {advice}")


def is_shell_text(path: bytes) -> bool:
    """Tell whether execvp(3) would hand the file to the shell: executable text without a ``#!`` line."""
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER)
    except OSError:
        return False
    return not header.startswith((b"#!", b"\x7fELF")) and b"\0" not in header and read_interpreter(path) is None


def execute(command: Command) -> None:
    """Call execve(2) with exactly these bytes, duplicates and all; returns only when the kernel refuses."""
    argv = (ctypes.c_char_p * (len(command.argv) + 1))(*command.argv, None)
    environ = (ctypes.c_char_p * (len(command.environ) + 1))(*command.environ, None)
    kernel.libc.execve(ctypes.c_char_p(command.binary), argv, environ)


def _become_tracee(command: Command, program: bytes, channel: socket.socket) -> None:
    """In the new process: wait to be seized, enter the filter, hand its listener over, execute."""
    try:
        channel.recv(6)
        listener = kernel.install_filter(program)
        socket.send_fds(channel, [b"listener"], [listener])
        os.close(listener)
        if channel.recv(2) != b"go":
            os._exit(126)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; a program expects the default
            signal.signal(number, signal.SIG_DFL)
        execute(command)
        channel.send(b"execve %d" % ctypes.get_errno())
    except OSError as error:
        channel.send(b"filter %d" % (error.errno or 0))
    finally:
        os._exit(126)


def start(command: Command, program: bytes) -> tuple[int, int, socket.socket]:
    """Start the command under the filter ``program``; return its process id, the listener, and a socket.

    The socket says ``execve N`` if the kernel refuses to execute the file with errno N, and closes when it does not.
    Raises TracingRefusedError when ptrace or seccomp is not to be had here.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL):
                signal.signal(number, signal.SIG_DFL)
        _become_tracee(command, program, theirs)
    theirs.close()
    try:
        kernel.ptrace(kernel.PTRACE_SEIZE, pid, SEIZE_OPTIONS)
    except OSError as error:
        ours.close()
        _reap(pid)
        raise TracingRefusedError(
            f"the kernel does not let rtrace trace ({error.strerror}); in a container add the capability SYS_PTRACE, "
            "elsewhere set kernel.yama.ptrace_scope to 1 or less"
        ) from None
    ours.send(b"filter")
    message, descriptors, _, _ = socket.recv_fds(ours, 64, 1)
    if not descriptors:
        ours.close()
        _reap(pid)
        reason = os.strerror(int(message.split()[-1])) if message else "the process ended"
        raise TracingRefusedError(
            f"the kernel does not let rtrace watch system calls ({reason}); it takes Linux 5.5 or newer and, in a "
            "container, a seccomp profile that allows seccomp"
        )
    return pid, descriptors[0], ours


def _reap(pid: int) -> None:
    """Wait for a process of ours that found its channel closed, or never was allowed to begin."""
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, kernel.WALL)
