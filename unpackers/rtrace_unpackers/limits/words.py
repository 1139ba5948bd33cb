"""Sentences on limits."""

from __future__ import annotations

from rtrace.limits import Limits
from rtrace.printable import format_size


def describe_limit(reached: str, limits: Limits) -> str:
    """Return the sentence that a limit ended a replay, with the option that raises it."""
    match reached:
        case "timeout":
            return f"it was ended after {limits.timeout:g} s (--timeout)"
        case "memory":
            return f"it was ended for using more than {format_size(limits.memory or 0)} of memory (--memory)"
        case "processes":
            return f"it was ended for having more than {limits.processes} processes (--pids)"
        case "output":
            return f"it was ended for printing more than {format_size(limits.output or 0)} (--max-output)"
        case _:
            return f"it was ended for writing more than {format_size(limits.disk or 0)} to the disk (--disk)"
