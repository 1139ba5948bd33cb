"""What goes from a trace into a bundle, and why."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.hierarchy import BELOW, is_in_memory
from rtrace.trace.treatment import Treatment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtrace.trace.reading.reader import Before

PACKED_TYPES = frozenset({"file", "directory", "symlink", "fifo"})
_NAMES = {"socket": "a socket", "block": "a block device", "char": "a character device"}


class Choice(NamedTuple):
    """A path that goes into the bundle. ``placeholder`` is for regular files whose content no run needed."""

    before: Before
    reason: str
    placeholder: bool


class Selection(NamedTuple):
    """What goes in, sorted by path, and what was met that no bundle can hold: (path, what it is)."""

    choices: list[Choice]
    impossible: list[tuple[bytes, str]]


def select(
    world: Iterable[Before], trace_directory: bytes, leave_out: Callable[[bytes], bool] | None = None
) -> Selection:
    """Choose from the world before the experiment: everything that a run touched or saw.

    ``trace_directory`` is resolved; it goes in as an empty folder if it was seen. What ``leave_out`` says stays out.
    """
    own = trace_directory + b"/"
    choices: list[Choice] = []
    impossible: list[tuple[bytes, str]] = []
    last, treatment, reason, placeholder = "", None, "", False
    for before in world:
        kind = before.type
        path = before.path
        if kind is None or path.startswith(own) or (leave_out is not None and leave_out(path)):
            continue
        if path.startswith(BELOW) and not is_in_memory(path):
            continue
        if kind not in PACKED_TYPES:
            if before.use:
                impossible.append((path, _NAMES.get(kind, kind)))
            continue
        if kind != last or before.treatment is not treatment:  # they are the same for most of a folder
            last, treatment = kind, before.treatment
            reason, placeholder = find_reason(before), kind == "file" and not treatment.needs_content
        choices.append(Choice(before, reason, placeholder))
    return Selection(choices, impossible)


def find_reason(before: Before) -> str:
    """Return in a word or two why a path is needed."""
    if before.type == "symlink" and before.treatment is Treatment.LOOKED_UP:
        return "symlink on the way"
    return before.treatment.value


def resolve_directory(path: os.PathLike[str]) -> bytes:
    """Return the path of a trace directory as the kernel sees it, which is how a trace names it."""
    return os.path.realpath(os.fsencode(path))
