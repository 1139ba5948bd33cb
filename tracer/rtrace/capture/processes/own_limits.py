"""The resource limits that a run is started under: lifted for the tracer, given back to the program. See getrlimit(2).

They are meant for the run. The tracer's own descriptors, files, memory and time are not to count against them.
"""

from __future__ import annotations

import contextlib
import resource

from rtrace.debugging import debug

DESCRIPTORS = 1 << 16
"""How many open files a tracer asks for where it may raise the hard limit; a higher limit is used as it is."""
LIFTED = (
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_AS,
    resource.RLIMIT_DATA,
    resource.RLIMIT_STACK,
    resource.RLIMIT_NPROC,
    resource.RLIMIT_CPU,
)
FEW, SMALLEST_FILES, SMALLEST_MEMORY = 1 << 8, 1 << 30, 1 << 32
"""Numbers, and bytes: a limit below these may be the reason why something of the tracer fails."""

Limits = tuple[tuple[int, int, int], ...]
"""Limits: the number of each, and its soft and hard value as they were."""


def lift_limits() -> Limits:
    """Raise this process's limits as far as it may; return what they were, of those that were changed."""
    before = []
    for number in LIFTED:
        soft, hard = resource.getrlimit(number)
        if number == resource.RLIMIT_NOFILE:
            wanted = hard if hard == resource.RLIM_INFINITY or hard > DESCRIPTORS else DESCRIPTORS
        else:
            wanted = resource.RLIM_INFINITY
        if soft == wanted:
            continue
        for limit in (wanted, hard):  # the hard limit is root's to raise
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(number, (limit, limit))
                before.append((number, soft, hard))
                if limit != soft:
                    debug(__name__, "%s lifted from %d to %d for the tracer", name_limit(number), soft, limit)
                break
    return tuple(before)


def name_limit(number: int) -> str:
    """Return the name that getrlimit(2) has for a limit."""
    return next(name for name in dir(resource) if name.startswith("RLIMIT_") and getattr(resource, name) == number)


def give_back(limits: Limits) -> None:
    """Set the limits of this process to what ``lift_limits`` found."""
    for number, soft, hard in limits:
        resource.setrlimit(number, (soft, hard))


def may_be_replaced(descriptor: int) -> bool:
    """Whether this process may replace a descriptor that it was given.

    One may have been opened before the limit on their number was lowered; see dup2(2).
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit == resource.RLIM_INFINITY or descriptor < limit


def explain_limits() -> str:
    """Return the limits on this process that may be the reason for a failure, after a comma; nothing if none may."""
    named = (
        (resource.RLIMIT_NOFILE, "n", FEW),
        (resource.RLIMIT_FSIZE, "f", SMALLEST_FILES),
        (resource.RLIMIT_AS, "v", SMALLEST_MEMORY),
        (resource.RLIMIT_DATA, "d", SMALLEST_MEMORY),
        (resource.RLIMIT_NPROC, "u", FEW),
    )
    low = []
    for number, letter, enough in named:
        limit = resource.getrlimit(number)[0]
        if limit not in {-1, resource.RLIM_INFINITY} and limit < enough:
            low.append(f"`ulimit -{letter}`")
    return f", under the limit of {', '.join(low)}" if low else ""
