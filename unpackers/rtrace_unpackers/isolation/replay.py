"""Run a plan in a forked child, hand signals on to it, and tell how the program ended."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeAlias

from rtrace import interrupts
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, TargetError
from rtrace.unpacker import Outcome, Streams
from rtrace_unpackers.isolation import libc
from rtrace_unpackers.isolation.first_process import FAILED, FORWARDED, be_first_process, write_report
from rtrace_unpackers.isolation.libc import Namespace
from rtrace_unpackers.isolation.plan import Isolation, Owner
from rtrace_unpackers.isolation.refusal import explain_refusal

Handler: TypeAlias = "Callable[[int, FrameType | None], object] | int | None"


def replay(isolation: Isolation, run: str, streams: Streams) -> Outcome:
    """Carry out a plan and return how its program ended.

    Raises CommandNotFoundError and CommandNotExecutableError when the program cannot be started, TargetError when
    the system refuses the isolation or the working directory is not there.
    """
    check_system()
    libc.load_libc()
    report, report_end = os.pipe()
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, report)
        keeper = fork_blocked(lambda: be_keeper(isolation, report_end, streams))
        os.close(report_end)
        stack.callback(end, keeper)
        with forward_signals(keeper):
            text = read_all(report)
    return judge(text, isolation, run)


def check_system() -> None:
    """Raise TargetError where there are no namespaces; load what the child cannot import any more."""
    if not sys.platform.startswith("linux"):
        raise TargetError("a chroot target can be replayed on Linux only; use the docker unpacker here")
    import fcntl  # noqa: F401

    for name in ("encodings.ascii", "encodings.utf_8", "encodings.latin_1", "encodings.idna"):
        __import__(name)


def fork_blocked(be_child: Callable[[], int]) -> int:
    """Fork; the child has all signals blocked from its first instruction and exits with what the function returns."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside other threads; this child takes no lock that they could hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = FAILED
            try:
                status = be_child()
            finally:
                os._exit(status)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return child


def read_all(descriptor: int) -> bytes:
    """Read until every writer is gone."""
    parts = []
    while part := os.read(descriptor, 65536):
        parts.append(part)
    return b"".join(parts)


def end(keeper: int) -> None:
    """Wait for the keeper; when the caller does not wait for the program any more, have it all killed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper, signal.SIGABRT)
    os.waitpid(keeper, 0)


@contextlib.contextmanager
def forward_signals(keeper: int) -> Iterator[None]:
    """Hand signals on to the replay instead of dying of them, as long as this lasts.

    A terminal sends SIGINT and SIGQUIT to all of its foreground processes, the program included: these are not
    sent twice. Only the main thread can do this; elsewhere signals do what they did before.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def forward(number: int, _frame: FrameType | None) -> None:
        interrupts.note(number)
        if number not in {signal.SIGINT, signal.SIGQUIT} or not is_in_foreground():
            os.kill(keeper, number)

    before: dict[int, Handler] = {}
    numbers: tuple[int, ...] = FORWARDED
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, forward)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def is_in_foreground() -> bool:
    """Tell whether this process belongs to the foreground of a terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def be_keeper(isolation: Isolation, report: int, streams: Streams) -> int:
    """Enter new namespaces, fork their first process, and stay outside as the one who can end it."""
    caller = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would reap children before they are waited for
    connect_streams(streams)
    close_others(report)
    sys.path.clear()  # nobody may import from below the new root
    sys.meta_path.clear()
    try:
        enter_namespaces(isolation)
    except OSError as error:
        write_report(report, stage="namespaces", doing=error.filename, errno=error.errno)
        return FAILED
    libc.die_with_parent(signal.SIGKILL)
    if os.getppid() != caller:
        return FAILED
    try:
        first = os.fork()
    except OSError as error:
        write_report(report, stage="namespaces", doing="start a process in them", errno=error.errno)
        return FAILED
    if first == 0:
        status = FAILED
        try:
            libc.die_with_parent(signal.SIGKILL)
            status = be_first_process(isolation, report)
        finally:
            os._exit(status)
    return keep(first, caller)


def connect_streams(streams: Streams) -> None:
    """Put the given descriptors at 0, 1 and 2; a closed one becomes the null device."""
    copies = []
    for descriptor in (streams.stdin, streams.stdout, streams.stderr):
        try:
            copies.append(os.dup(descriptor))
        except OSError:
            copies.append(os.open(os.devnull, os.O_RDWR))
    for number, copy in enumerate(copies):
        os.dup2(copy, number)


def close_others(kept: int) -> None:
    """Close every descriptor but the standard ones and one more: an open directory is a way out of a chroot."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor > 2 and descriptor != kept:  # noqa: PLR2004
            with contextlib.suppress(OSError):
                os.close(descriptor)


def enter_namespaces(isolation: Isolation) -> None:
    """Call unshare(2), and in a user namespace map the recorded ids to the owner's.

    The OSError's filename says what was being done.
    """
    owner = isolation.owner
    try:
        if owner is not None and (owner.uid, owner.gid) != (os.geteuid(), os.getegid()):
            os.setgroups([])
            os.setresgid(owner.gid, owner.gid, owner.gid)
            os.setresuid(owner.uid, owner.uid, owner.uid)
            # A change of ids makes /proc/self root's, and with it the maps below.
            libc.control(libc.PR_SET_DUMPABLE, 1)
        libc.unshare(isolation.namespaces)
    except OSError as error:
        raise OSError(error.errno, error.strerror, "get namespaces of its own") from None
    if Namespace.USER in isolation.namespaces and owner is not None:
        try:
            write_maps(isolation.program.uid, isolation.program.gid, owner)
        except OSError as error:
            raise OSError(error.errno, error.strerror, "map users in a namespace") from None


def write_maps(uid: int, gid: int, owner: Owner) -> None:
    """Give the owner the recorded ids inside; see user_namespaces(7)."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {owner.uid} 1"),
        ("gid_map", f"{gid} {owner.gid} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def keep(first: int, caller: int) -> int:
    """Wait for the first process, handing on what the caller sends; SIGABRT means: kill it all."""
    while True:
        info = signal.sigwaitinfo({signal.SIGCHLD, signal.SIGABRT, *FORWARDED})
        if info.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(first, os.WNOHANG)
            if pid == first:
                return FAILED if status else 0
        elif info.si_code <= 0 and info.si_pid == caller:
            os.kill(first, signal.SIGKILL if info.si_signo == signal.SIGABRT else info.si_signo)


def judge(text: bytes, isolation: Isolation, run: str) -> Outcome:
    """Turn the report of the replay's processes into an outcome, or into the error that it tells of."""
    facts: dict[str, str | int] = {}
    for line in text.splitlines():
        facts = {**json.loads(line), **facts}  # what came first says why the rest came
    program = isolation.program
    number = int(facts.get("errno", 0))
    reason = os.strerror(number)
    match facts.get("stage"):
        case "namespaces" | "setup":
            doing = str(facts["doing"])
            raise TargetError(explain_refusal(number, doing, as_root=isolation.owner is None))
        case "workingdir":
            raise TargetError(
                f"cannot enter the working directory {os.fsdecode(program.workingdir)} of {run}: {reason}; "
                "the bundle does not hold it"
            )
        case "stdin" if program.stdin is not None:
            raise TargetError(
                f"cannot open {os.fsdecode(program.stdin.path)}, the standard input of {run}: {reason}; "
                "the bundle does not hold it"
            )
        case "execute" if number in {errno.ENOENT, errno.ENOTDIR}:
            raise CommandNotFoundError(
                f"cannot execute {os.fsdecode(program.binary)} of {run}: {reason}; "
                "the bundle lacks it, or the interpreter that it names"
            )
        case "execute":
            raise CommandNotExecutableError(f"cannot execute {os.fsdecode(program.binary)} of {run}: {reason}")
    if "status" not in facts:
        raise TargetError(f"the replay of {run} was killed before it ended")
    status = int(facts["status"])
    if os.WIFSIGNALED(status):
        return Outcome(run, None, os.WTERMSIG(status))
    return Outcome(run, os.WEXITSTATUS(status), None)
