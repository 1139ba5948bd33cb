"""What Python would print by itself: tracebacks, warnings, and errors that nobody can catch. Each message is a line."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import TYPE_CHECKING, TextIO

from rtrace import interrupts
from rtrace.cli.terminal import speaking

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def tell_crash(error: BaseException) -> None:
    """Tell where the program was when an error came that nobody expected, and what the error says."""
    import traceback

    for part in traceback.TracebackException.from_exception(error).format():
        speaking.tell(part.splitlines() if part.startswith("  File ") else [part.strip("\n")])


def tell_all() -> None:
    """See to it that what Python prints by itself goes the way of all that is told."""
    speaking.escape_errors()
    threading.excepthook = _tell_thread
    sys.unraisablehook = _tell_unraisable
    warnings.showwarning = _tell_warning


def _tell_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and crash.exc_type is not SystemExit:
        tell_crash(crash.exc_value)


def _tell_unraisable(crash: UnraisableHookArgs) -> None:
    """Tell of an error in a destructor; a signal that came there comes again."""
    if isinstance(crash.exc_value, interrupts.Interrupted):
        interrupts.raise_again()
    elif crash.exc_value is not None:
        tell_crash(crash.exc_value)


def _tell_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    speaking.say(f"{filename}:{lineno}: {category.__name__}: {message}")
