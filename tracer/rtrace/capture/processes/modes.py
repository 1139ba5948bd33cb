"""The three ways in which the kernel can be asked to tell a tracer of system calls, best first."""

from __future__ import annotations

import os
import re
from enum import Enum

from rtrace.errors import UsageError

VARIABLE = "RTRACE_ENGINE"


class Mode(str, Enum):
    """How system calls come to the tracer; the tree comes by ptrace in every mode.

    NOTIFY: a seccomp filter notifies for the calls that matter (Linux 5.6). SECCOMP: the filter makes them ptrace
    stops (RET_TRACE). STOPS: every call stops under ptrace, where no filter is to be had.
    """

    NOTIFY = "notify"
    SECCOMP = "seccomp"
    STOPS = "stops"


def choose_modes() -> tuple[Mode, ...]:
    """Return the modes to try, in order: all that this kernel may know, or the one that RTRACE_ENGINE names."""
    wanted = os.environ.get(VARIABLE)
    if wanted:
        try:
            return (Mode(wanted),)
        except ValueError:
            names = ", ".join(mode.value for mode in Mode)
            raise UsageError(f"{VARIABLE} is {wanted!r}; set it to one of: {names}, or unset it") from None
    return tuple(Mode) if kernel_version() >= (5, 6) else (Mode.SECCOMP, Mode.STOPS)


def kernel_version() -> tuple[int, int]:
    """Return the first two numbers of the running kernel's release."""
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return int(major), int(minor)
