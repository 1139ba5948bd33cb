"""Which signals a program finds ignored at its start: those that rtrace found ignored at its own.

Python ignores SIGPIPE and SIGXFSZ before any code of rtrace runs, and forgets what was before. What the caller ignores
is what it handed on, if it is a program that hands on what it was given, as shells and the like do; a caller that
ignores these signals for itself alone (Python, Node.js) gives its children the default. SIGCHLD, too, rtrace changes.
"""

from __future__ import annotations

import os
import signal
from functools import lru_cache
from typing import TYPE_CHECKING

from rtrace import interrupts

if TYPE_CHECKING:
    from collections.abc import Iterable

CHANGED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
OF_BACKGROUNDS = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
_NAMED = frozenset(int(one) for one in signal.Signals)
HAND_ON = frozenset(
    b"ash bash busybox chrt csh dash env fish flock ionice ksh ksh93 ksh2020 make mksh nice nohup parallel perl pdksh "
    b"runuser script setsid sh stdbuf su tcsh time timeout unshare xargs yash zsh".split()
)
"""Programs, by the name of their file, whose children find ignored what they themselves found ignored."""


@lru_cache(maxsize=1)
def ignored_at_start() -> frozenset[int]:
    """Return which of the signals that Python or rtrace change were ignored when this process was started.

    Asked once, by the process that the caller started. A caller that cannot be looked at counts as ignoring nothing.
    """
    children = {signal.SIGCHLD} if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN else set()
    return frozenset(children | _ignored_by_caller())


def heed_children() -> None:
    """Have the kernel keep how children ended until this process asks; it does not while SIGCHLD is ignored.

    See NOTES of wait(2).
    """
    if signal.SIGCHLD in ignored_at_start():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _ignored_by_caller() -> set[signal.Signals]:
    parent = f"/proc/{os.getppid()}"
    try:
        if os.path.basename(os.readlink(os.fsencode(parent + "/exe"))) not in HAND_ON:
            return set()
        with open(parent + "/status", "rb") as file:
            mask = next((int(line.split()[1], 16) for line in file if line.startswith(b"SigIgn:")), 0)
    except OSError:  # EACCES, a caller of another user; ENOENT, one that has ended
        return set()
    return {number for number in CHANGED_BY_PYTHON if mask >> (number - 1) & 1}


def describe_unusual() -> str | None:
    """Return in words which signals a run finds ignored or blocked, and a replay does not; None for no signal.

    The signals that shells and nohup(1) ignore for background jobs make no difference until somebody sends them.
    """
    by_disposition = {
        int(number)
        for number in signal.valid_signals() - {*CHANGED_BY_PYTHON, *OF_BACKGROUNDS}
        if signal.getsignal(number) is signal.SIG_IGN
    }
    states = {"ignored": by_disposition | ignored_at_start(), "blocked": interrupts.mask_at_start()}
    found = [f"{_name(numbers)} {state}" for state, numbers in states.items() if numbers]
    return " and ".join(found) or None


def _name(numbers: Iterable[int]) -> str:
    return ", ".join(
        signal.Signals(number).name if number in _NAMED else f"SIGRTMIN+{number - signal.SIGRTMIN}"
        for number in sorted(numbers)
    )


def restore_dispositions(ignored: frozenset[int]) -> None:
    """In the process that becomes the program: undo what Python and rtrace changed; execve(2) resets what is handled.

    Let signals through as they were at the start of rtrace, so call it last.
    """
    for number in (*CHANGED_BY_PYTHON, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, interrupts.mask_at_start())
