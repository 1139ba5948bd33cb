"""The command to be traced: which file is executed for it, and whether /proc shows what becomes of it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from rtrace.capture.kernel.executable import HEADER, find_missing_interpreter, read_interpreter
from rtrace.capture.processes.own_limits import Limits
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, TracingRefusedError
from rtrace.printable import printable, shell_word

if TYPE_CHECKING:
    from rtrace.freezing.model import Freeze

DEFAULT_PATH = b"/bin:/usr/bin"  # execvp(3), when PATH is unset
SHELL = b"/bin/sh"


class Command(NamedTuple):
    """What to start: the file, its arguments, and its environment item by item as the caller's own was.

    ``limits`` are the caller's, where the tracer has changed its own; ``freeze`` is what it finds by chance, if that is
    pinned.
    """

    binary: bytes
    argv: tuple[bytes, ...]
    environ: tuple[bytes, ...]
    limits: Limits = ()
    freeze: Freeze | None = None


def check_proc() -> None:
    """Raise TracingRefusedError where /proc shows no processes, or those of another PID namespace. See proc(5).

    A tracer would find nothing under its program's ids there, or another process.
    """
    try:
        own = os.readlink("/proc/self")
        with open("/proc/self/status", "rb") as file:
            numbers = [line.split()[1:] for line in file if line.startswith(b"NSpid:")]  # Linux 4.1
    except OSError:
        own, numbers = "", []
    if own == "" and not os.path.exists("/proc/uptime"):
        raise TracingRefusedError("/proc is not mounted; `mount -t proc proc /proc` mounts it, bwrap has --proc /proc")
    if own != str(os.getpid()) or any(len(listed) > 1 for listed in numbers):
        raise TracingRefusedError(
            "/proc shows the processes of another PID namespace, so rtrace cannot see into its own; mount one that "
            "belongs here (`unshare --mount-proc`, `bwrap --proc /proc`, or `mount -t proc proc /proc`)"
        )


def read_own_environment() -> tuple[bytes, ...]:
    """Return the environment with which this interpreter was started: it may have changed its own copy (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        return tuple(file.read().split(b"\0")[:-1])


def find_command(argv: tuple[bytes, ...], environ: tuple[bytes, ...]) -> Command:
    """Return the command with the file that execvp(3) would execute.

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
            refuse_without_interpreter(candidate)
            return Command(candidate, argv, environ)
        refused = refused or (candidate, "a folder" if stat.S_ISDIR(status.st_mode) else "not executable")
    if refused is None:
        where = "does not exist" if b"/" in name else "is not in PATH"
        raise CommandNotFoundError(f"{shown} {where}; check its name")
    advice = "name a program in it" if refused[1] == "a folder" else f"`chmod +x {shown}` makes it executable"
    raise CommandNotExecutableError(f"{os.fsdecode(refused[0])} is {refused[1]}; {advice}")


def refuse_without_interpreter(path: bytes) -> None:
    """Raise CommandNotExecutableError for a program whose interpreter or dynamic loader is not there.

    The kernel says of it what it says of a program that is not there: ENOENT. See execve(2).
    """
    interpreter = find_missing_interpreter(path)
    if interpreter is None:
        return
    if interpreter.endswith(b"\r"):
        reason = "its first line ends as on Windows, in CR LF"
        advice = f"`sed -i 's/\\r$//' {shell_word(path)}` makes its lines end as here"
    else:
        reason = f"it needs {printable(interpreter)}, which is not there"
        advice = "install what has that, or name another program"
    raise CommandNotExecutableError(f"{printable(path)} cannot be executed, for {reason}; {advice}")


def is_shell_text(path: bytes) -> bool:
    """Whether execvp(3) would hand the file to the shell: executable text without a ``#!`` line."""
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER)
        return not header.startswith((b"#!", b"\x7fELF")) and b"\0" not in header and read_interpreter(path) is None
    except OSError:  # EACCES: it may be executed and not read, so the shell could not read it either
        return False
