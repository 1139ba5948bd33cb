"""`rtrace targets`: what was unpacked where, and how it stands with it."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rtrace.errors import RtraceError
from rtrace.operations.exchange.bundles import read_identity
from rtrace.replay.register import drop, is_being_made, read_register
from rtrace.replay.registry import open_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.replay.register import Registered

State = Literal["whole", "being made", "damaged"]
BLOCK = 512


@dataclass(frozen=True, slots=True)
class Known:
    """A target that is there, or is being made; ``problem`` says what is wrong with a damaged one.

    ``size`` is the bytes that its folder takes on the disk, None where that was not asked for or cannot be told.
    """

    entry: Registered
    state: State
    problem: str | None = None
    size: int | None = None


def list_targets(say: Callable[[str], None], *, sizes: bool = False) -> tuple[Known, ...]:
    """Return the targets of the register; those that are gone are told and forgotten. Raises OSError, ForeignError."""
    entries, broken = read_register()
    for name in broken:
        say(f"{name} in the register of targets cannot be read and is left out; remove it")
    known = []
    for entry in entries:
        one = look_at(entry, say, sizes=sizes)
        if one is not None:
            known.append(one)
    return tuple(known)


def look_at(entry: Registered, say: Callable[[str], None], *, sizes: bool) -> Known | None:
    """Return how it stands with a target; None where it is gone, which is told, and forgotten."""
    if entry.identity is None and is_being_made(entry):
        return Known(entry, "being made")
    if not os.path.lexists(entry.path):
        gone = "is gone" if entry.identity is not None else "was never whole: a killed process was making it"
        forget(entry, gone, say)
        return None
    try:
        target = open_target(entry.path)
        identity = read_identity(entry.path)
    except (RtraceError, OSError) as error:
        if not os.path.lexists(entry.path):
            forget(entry, "is gone", say)
            return None
        return Known(entry, "damaged", str(error), measure(os.fsencode(entry.path)) if sizes else None)
    if entry.identity is not None and identity not in {None, entry.identity}:
        forget(entry, "is another target now", say)
        return None
    size = measure(os.fsencode(target.path)) if sizes else None
    return Known(entry, "whole", None, size)


def forget(entry: Registered, why: str, say: Callable[[str], None]) -> None:
    """Tell that a target is not there any more, and remove it from the register."""
    say(f"{entry.path} {why}; forgotten")
    with contextlib.suppress(OSError, RtraceError):  # then it is told again the next time
        drop(entry)


def measure(path: bytes) -> int | None:
    """Return the bytes that a folder takes on the disk; None where some of it cannot be looked at."""
    total, seen = 0, set()
    try:
        for _, folders, files, descriptor in os.fwalk(path, onerror=_raise, follow_symlinks=False):
            for name in (*folders, *files):
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if (status.st_dev, status.st_ino) not in seen:
                    total += status.st_blocks * BLOCK
                if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                    seen.add((status.st_dev, status.st_ino))
    except (OSError, RecursionError):
        return None
    return total


def _raise(error: OSError) -> None:
    raise error
