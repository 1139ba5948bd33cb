"""Limits that a process sets for itself and its children, as a value."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resources:
    """Limits of setrlimit(2), by number, and how many processors sched_setaffinity(2) leaves; None is all."""

    limits: tuple[tuple[int, int], ...] = ()
    processors: int | None = None


def pack_resources(resources: Resources) -> bytes:
    """Encode the limits for another process."""
    return json.dumps([resources.limits, resources.processors]).encode()


def unpack_resources(said: bytes) -> Resources:
    """Decode them."""
    limits, processors = json.loads(said)
    return Resources(tuple((number, value) for number, value in limits), processors)


def apply(resources: Resources) -> None:
    """Set the limits for this process; none is raised. Raises OSError."""
    import resource

    for number, value in resources.limits:
        hard = resource.getrlimit(number)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (allowed, allowed))
    if resources.processors is not None:
        mine = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, mine[: resources.processors])


def forbid_core_dumps() -> None:
    """Let no process write a core dump from now on, nor the kernel hand one to a program of the machine, which is root.

    A limit of 1 byte means both; 0 does not keep the kernel from starting that program: see core(5).
    """
    import resource

    with contextlib.suppress(ValueError):  # a user whose own limit is 0 cannot raise it
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


def may_forbid_core_dumps() -> bool:
    """Whether processes that this user starts may have that limit: not where the user's own is 0."""
    try:
        import resource
    except ImportError:  # this is no Unix, and an engine's processes have other limits
        return True
    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_CORE)[1] != 0
