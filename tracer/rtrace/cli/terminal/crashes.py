"""What Python would print by itself: tracebacks, warnings, and errors that nobody can catch. Each message is a line."""

from __future__ import annotations

import sys
import threading
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, TextIO

from rtrace import interrupts
from rtrace.cli.terminal import speaking
from rtrace.debugging import debug, is_debugging

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


_AGAIN = "the same command with --debug"


def tell_crash(error: BaseException) -> None:
    """Report an unexpected error in a sentence; with --debug, with its traceback."""
    if lacks_linux(error) and not is_debugging():
        speaking.fail(f"this needs what only Linux has ({error}); run rtrace there, or in a virtual machine of Linux")
        return
    if not is_debugging():
        words = "".join(str(error).split("\n")[:1])
        what = f"{type(error).__name__}: {words}" if words else type(error).__name__
        speaking.fail(f"a mistake in rtrace ({what}); please report it with what {_AGAIN} tells")
        return
    import traceback

    for part in traceback.TracebackException.from_exception(error).format():
        speaking.tell(part.splitlines() if part.startswith("  File ") else [part.strip("\n")])


def lacks_linux(error: BaseException) -> bool:
    """Whether another system than Linux lacks something, a module or a call, that nobody thought of."""
    is_lacking = isinstance(error, AttributeError) and isinstance(error.obj, ModuleType)
    return not sys.platform.startswith("linux") and (
        is_lacking or isinstance(error, (ModuleNotFoundError, NotImplementedError))
    )


def debug_failure(error: BaseException) -> None:
    """Log the traceback of a failure that a person is told of in a sentence."""
    if is_debugging():
        import traceback

        for part in traceback.format_exception(error):
            for line in part.splitlines():
                debug(__name__, "%s", line)


def tell_all() -> None:
    """Make everything that Python prints by itself go through this package."""
    speaking.escape_errors()
    threading.excepthook = _tell_thread
    sys.unraisablehook = _tell_unraisable
    warnings.showwarning = _tell_warning


def _tell_thread(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None and crash.exc_type is not SystemExit:
        tell_crash(crash.exc_value)


def _tell_unraisable(crash: UnraisableHookArgs) -> None:
    """Report an error in a destructor; a signal that came there is raised again."""
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
    speaking.warn(f"{filename}:{lineno}: {category.__name__}: {message}")
