"""What is told of a file that cannot be packed as the run found it.

The sentence has two parts: what happened to the file, and what was packed. Where only the status of writing tells what
happened (it is gone, it changed), the second table says it; where more is known (a run changed it without a copy, the
copy was damaged), that comes first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtrace.bundle.writing.bundle_writer import Written
from rtrace.manifest.incompleteness import CHANGED
from rtrace.manifest.model import Notice
from rtrace.printable import count_more, printable

_AFTER_A_CAUSE = {
    Written.CHANGED: "it was packed as it is now",
    Written.VANISHED: "it was not packed",
    Written.UNREADABLE: "it cannot be read now",
}
_AFTER_A_NAME = {
    Written.CHANGED: "changed after the trace: it was packed as it is now",
    Written.VANISHED: "is no longer there: it was not packed",
    Written.UNREADABLE: "cannot be read: only its name and size were packed",
    Written.HOLLOW: "has larger holes than a bundle may hold: only its name and size were packed",
}
_TOUCHED = "touched after the trace, with size and time as before: packed as now"
_NO_LONGER_AS_IT_WAS = "is no longer there, or not as it was: only its name and size were packed"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A file that was not packed, or will not be, as the run found it.

    ``problem`` says why there is no copy although the run changed the file, ``moved_to`` what name the run gave it,
    ``copies`` where the tracer's copy was that should have been packed: each None if it is not so. ``by_pattern`` is
    whether a person asked for it and no run needs it, ``was_readable`` whether the run could read it. ``remedy`` is
    better advice than the usual, if there is any. ``expected`` is whether nothing was written yet.
    """

    path: bytes
    status: Written
    problem: str | None = None
    moved_to: bytes | None = None
    copies: str | None = None
    by_pattern: bool = False
    was_readable: bool = True
    remedy: str | None = None
    expected: bool = False


def describe_shortfall(shortfall: Shortfall) -> Notice:
    """Return the notice of a file that was not packed, or will not be, as the run found it."""
    status = shortfall.status
    if status is Written.VANISHED and shortfall.by_pattern:
        what = f"{_name(shortfall)} {_say(_NO_LONGER_AS_IT_WAS, shortfall)}"
        return Notice("not packed", what, "put it back and pack again, or take it out of `include:`")
    cause = None if status is Written.HOLLOW else _find_cause(shortfall)
    if cause is None:
        what = f"{_name(shortfall)} {_say(_AFTER_A_NAME[status], shortfall)}"
    else:
        what = f"{cause}: {_say(_AFTER_A_CAUSE[status], shortfall)}"
    kind, advice = _advise(shortfall)
    return Notice(kind, what, shortfall.remedy or advice)


def describe_touched(paths: list[bytes]) -> Notice:
    """Return the one notice of all files that may have changed."""
    verb = "were" if len(paths) > 1 else "was"
    what = f"{printable(paths[0])}{count_more(len(paths) - 1, 'file')} {verb} {_TOUCHED}"
    return Notice(CHANGED, what, "trace again if the content may be another")


def describe_unkept(attributes: dict[str, tuple[bytes, int]]) -> Notice:
    """Return the one notice of all extended attributes that are not packed: a file that has each, and their number."""
    kinds = [
        f"{printable(name.encode('utf-8', 'surrogateescape'))} of {printable(path)}{count_more(number - 1, 'file')}"
        for name, (path, number) in sorted(attributes.items())
    ]
    what = f"extended attributes that are not packed: {', '.join(kinds)}"
    return Notice("not packed", what, "set them again where the replay needs them")


def _advise(shortfall: Shortfall) -> tuple[str, str]:
    """Return the kind of the notice, and the usual advice."""
    status = shortfall.status
    if status is Written.CHANGED:
        return CHANGED if shortfall.problem is None else "missing", "trace again to have it as the run finds it"
    if status is Written.VANISHED:
        return "missing", "put it back and pack again, or trace again"
    if status is Written.HOLLOW:
        return "missing", "make it smaller, if the replay needs it"
    kind = "missing" if shortfall.was_readable else "unreadable"
    return kind, "pack as a user who may read it, if the replay needs it"


def _say(words: str, shortfall: Shortfall) -> str:
    """Return words of the tables, in another tense if nothing was written yet."""
    if not shortfall.expected:
        return words
    return re.sub(r"\bw(?:as|ere) (not )?packed\b", lambda match: f"would {match[1] or ''}be packed", words)


def _name(shortfall: Shortfall) -> str:
    """Return the name of a file, with the one that the run gave it."""
    name = printable(shortfall.path)
    if shortfall.problem is not None or shortfall.moved_to is None:
        return name
    return f"{name}, renamed by the run to {printable(shortfall.moved_to)},"


def _find_cause(shortfall: Shortfall) -> str | None:
    """Return what happened, if more is known than the status of writing tells."""
    name = printable(shortfall.path)
    if shortfall.problem is not None:
        return f"the run changed {name}, and no copy of it could be made before that ({shortfall.problem})"
    if shortfall.moved_to is None and shortfall.copies is not None:
        return f"the copy of {name} in {shortfall.copies} is not what it was"
    return None
