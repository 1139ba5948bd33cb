"""How a command ends: its exit status and, when it fails, one sentence."""

from __future__ import annotations

import errno
import os
import sys
import time

import click

from rtrace import interrupts
from rtrace.cli.frame.commands import rtrace
from rtrace.cli.terminal import speaking
from rtrace.cli.terminal.crashes import debug_failure, tell_all, tell_crash
from rtrace.cli.terminal.manner import VARIABLE
from rtrace.debugging import debug
from rtrace.errors import RtraceError
from rtrace.printable import printable

_COMPLETE = "_RTRACE_COMPLETE"
TOO_MANY = frozenset({errno.EMFILE, errno.ENFILE})
FREE_OR_PERMIT = "free some space or check the permissions"


def run() -> int:
    """Run the command line; return the exit status, whatever happens."""
    tell_all()
    began = time.monotonic()
    try:
        if VARIABLE in os.environ:
            from rtrace.cli.terminal.debug_output import begin_debugging

            begin_debugging()
        status = _run_command()
        speaking.flush()
    except interrupts.Interrupted:
        status = 0  # told below, with those that were taken for another error on their way
    except BaseException as error:  # noqa: BLE001 -- a crash must not end with a status that means a verdict
        status = _tell_failure(error)
    number = interrupts.raised()
    if number is not None:
        status = 128 + number
        speaking.leave_bar()
        speaking.fail(f"{interrupts.Interrupted(number)}; {interrupts.rest()}")
    debug(__name__, "exit status %d after %.3f s", status, time.monotonic() - began)
    return status


def _run_command() -> int:
    """Run the command that the arguments name."""
    try:
        if _COMPLETE in os.environ:  # a shell asks what could be typed next
            from rtrace.cli.options.completing import answer

            answer(rtrace, os.environ[_COMPLETE], sys.argv[1:])
            return 0
        with rtrace.make_context("rtrace", sys.argv[1:]) as context:
            rtrace.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def _tell_failure(error: BaseException) -> int:
    """Say why a command failed; return its exit status."""
    speaking.leave_bar()
    if not isinstance(error, (click.ClickException, click.Abort)):
        debug_failure(error)
    if interrupts.raised() is not None:  # what goes wrong while a signal unwinds all is of no interest
        return RtraceError.exit_status
    match error:
        case speaking.NobodyReadsError() | BrokenPipeError():
            speaking.give_up_output()
            return speaking.NobodyReadsError.exit_status
        case RtraceError():
            speaking.fail(str(error))
            return error.exit_status
        case click.ClickException():
            _tell_usage(error)
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return 130
        case MemoryError():
            speaking.fail("there is not enough memory; free some, or use a machine with more")
        case OSError():
            name = "" if error.filename is None else f"{_show_name(error.filename)}: "
            advice = "raise the limit (`ulimit -n`)" if error.errno in TOO_MANY else FREE_OR_PERMIT
            speaking.fail(f"{name}{error.strerror or error}; {advice}")
        case _:
            tell_crash(error)
    return RtraceError.exit_status


def _show_name(filename: object) -> str:
    """Return the name of the file that an error of the system is about: text, bytes, or the number of a descriptor."""
    return printable(filename) if isinstance(filename, bytes) else str(filename)


def _tell_usage(error: click.ClickException) -> None:
    """Say what is wrong with the arguments, as click does: the usage first, then the sentence."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        speaking.tell(error.format_message().splitlines())
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    usage = [] if context is None else context.get_usage().splitlines()
    hint = [] if context is None else [f"Try '{context.command_path} --help' for help.", ""]
    speaking.tell([*usage, *hint])
    message = " ".join(error.format_message().split())  # click puts choices on lines of their own
    speaking.tell([f" {message}"], "Error:", "red")
