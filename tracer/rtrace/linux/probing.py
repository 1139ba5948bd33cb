"""Try something in a process of its own, so that whatever it changes or opens ends with that process."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable

from rtrace.errors import RtraceError


class Attempt:
    """Something that a forked process without standard streams tries, from now on; others may be tried meanwhile."""

    def __init__(self, action: Callable[[], object]) -> None:
        """Begin."""
        self._reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12, beside other threads: no lock is taken
            self._child = os.fork()
        if self._child == 0:
            status = 1
            try:
                os.close(self._reading)
                status = act(action, writing)
            finally:
                os._exit(status)
        os.close(writing)

    def finish(self) -> str | None:
        """Wait for the end, and return why it failed, None when it did not. To be called once."""
        with open(self._reading, "rb") as file:
            reason = file.read().decode(errors="replace")
        status = os.waitstatus_to_exitcode(os.waitpid(self._child, 0)[1])
        if status == 0:
            return None
        return reason or (signal.strsignal(-status) if status < 0 else None) or "it failed"


def try_in_child(action: Callable[[], object]) -> str | None:
    """Call a function in a forked process without standard streams; return why it failed, None when it did not."""
    return Attempt(action).finish()


def act(action: Callable[[], object], writing: int) -> int:
    """Call the function in the child; write why it failed, if it did, and return the child's exit status."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    try:
        action()
    except OSError as error:
        os.write(writing, (error.strerror or str(error)).encode())
    except RtraceError as error:
        os.write(writing, str(error).encode(errors="replace"))
    else:
        return 0
    return 1
