"""The command line. Before anything else is loaded, signals are made to clean up what they interrupt."""

from __future__ import annotations

import gc
import os
import sys

from rtrace import interrupts


def is_tracing(arguments: list[str]) -> bool:
    """Whether the first argument that is no option, nor the value of one, is `trace`."""
    words = iter(arguments)
    for word in words:
        if word == "--color":
            next(words, None)
        elif not word.startswith("-"):
            return word == "trace"
    return False


def main() -> None:
    """Run the command line and exit: every failure is one sentence on standard error and an exit status."""
    gc.disable()  # until a command begins: of what is imported nothing goes, and looking for it takes a tenth of --help
    interrupts.begin()
    if is_tracing(sys.argv[1:]):
        interrupts.defer()
    try:
        from rtrace.cli.frame.ending import run

        status = run()
        interrupts.end()
    except interrupts.Interrupted as interrupt:  # before or after there was anything that could tell of it
        status = interrupt.exit_status
    except (MemoryError, ImportError, OSError) as error:  # a limit on memory or open files that Python hardly fits into
        what = str(error) or "out of memory"
        text = f"rtrace: cannot begin ({what}); raise the limits (`ulimit -a`)\n"
        os.write(2, text.encode("ascii", "backslashreplace"))  # there may be no room for the module that speaks
        status = 125
    if interrupts.raised() is not None:
        os._exit(status)  # all is cleaned up; a thread in the middle of its work is not waited for
    sys.exit(status)
