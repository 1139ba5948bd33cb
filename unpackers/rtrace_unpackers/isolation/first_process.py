"""The first process of a replay's PID namespace: sets up, starts the program, reaps, and passes on how it ended.

    caller --- fork ---> keeper --- unshare, fork ---> first process (PID 1) --- fork ---> program (PID 2)
       ^                                                     |                                |
       +------------------- report (a pipe) -----------------+--------------------------------+

Once the root is changed, nothing may be imported: ``sys.path`` would be looked up in the bundle's files.
"""

from __future__ import annotations

import json
import os
import signal

from rtrace.manifest.model import Input
from rtrace_unpackers.isolation import libc, terminal
from rtrace_unpackers.isolation.perform import describe, perform
from rtrace_unpackers.isolation.plan import KEPT_CAPABILITIES, Isolation, Program

FORWARDED = (
    (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    if hasattr(signal, "SIGHUP")
    else ()
)
FAILED = 1


def write_report(report: int, **facts: str | int | None) -> None:
    """Tell the caller something, in one write that no other writer can split."""
    os.write(report, json.dumps(facts).encode() + b"\n")


def be_first_process(isolation: Isolation, report: int) -> int:
    """Set up, run the program, wait until it and all its descendants ended; return the exit status of PID 1."""
    for operation in isolation.setup:
        try:
            perform(operation)
        except OSError as error:
            write_report(report, stage="setup", doing=describe(operation), errno=error.errno)
            return FAILED
    libc.hide_from_ptrace()  # the program's execution undoes it for the program
    program = os.fork()
    if program == 0:
        be_program(isolation.program, report)
    status = reap_all(program)
    if status is None:
        return FAILED
    write_report(report, status=status)
    return 0


def reap_all(program: int) -> int | None:
    """Wait for every descendant, orphans included, handing signals on; return the program's wait status."""
    status = None
    while True:
        info = signal.sigwaitinfo({signal.SIGCHLD, *FORWARDED})
        if info.si_signo != signal.SIGCHLD:
            # From outside of the namespace (no PID in here): from the keeper. A terminal tells the program itself.
            if info.si_code <= 0 and info.si_pid == 0 and status is None:
                os.kill(program, info.si_signo)
            continue
        while True:
            try:
                pid, ended = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return status
            if pid == 0:
                break
            if pid == program:
                status = ended


def be_program(program: Program, report: int) -> None:
    """Become the program with its ids, umask, directory, arguments and environment, byte for byte; never return."""
    try:
        try:
            os.chdir(program.workingdir)
        except OSError as error:
            write_report(report, stage="workingdir", errno=error.errno)
            os._exit(FAILED)
        if program.stdin is not None:
            try:
                open_input(program.stdin)
            except OSError as error:
                write_report(report, stage="stdin", errno=error.errno)
                os._exit(FAILED)
        drop_privileges(program)
        os.umask(program.umask)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a program would inherit that
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        libc.execute(program.binary, program.argv, program.environ)
    except OSError as error:
        write_report(report, stage="execute", errno=error.errno)
    finally:
        os._exit(FAILED)


def open_input(stdin: Input) -> None:
    """Make a file of the bundle standard input, at the offset at which it was; never wait for a FIFO's writer."""
    file = os.open(stdin.path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    os.set_blocking(file, True)
    if stdin.offset:
        os.lseek(file, stdin.offset, os.SEEK_SET)
    os.dup2(file, 0)
    os.close(file)


def drop_privileges(program: Program) -> None:
    """Take on the recorded ids and give up what could reach out of the namespaces."""
    libc.keep_capabilities(KEPT_CAPABILITIES)
    libc.forbid_new_privileges()
    if program.groups is not None:
        os.setgroups(program.groups)
    os.setresgid(program.gid, program.gid, program.gid)
    os.setresuid(program.uid, program.uid, program.uid)
    terminal.forbid_typing()
