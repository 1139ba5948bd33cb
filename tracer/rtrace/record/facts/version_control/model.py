"""What a repository is asked within, and the record of one that nothing is known of yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from rtrace.path_text import to_text
from rtrace.record.times import write_time

if TYPE_CHECKING:
    from rtrace.record.document import ChangedFile, RepositoryFact

MOST_CHANGED = 10_000
"""Files of a working tree that are told to be changed."""


class Limits(NamedTuple):
    """Bytes of a diff, and the seconds in which all has to be said."""

    diff: int = 1 << 20
    seconds: float = 5.0


def empty_fact(kind: str, root: bytes) -> RepositoryFact:
    """Return what is known of a repository without looking into it."""
    return {
        "type": kind, "path": to_text(root), "commit": None, "branch": None, "tag": None, "committed": None,
        "remote": None, "upstream": None, "dirty": None, "changed": [], "diff": None, "problem": None,
    }  # fmt: skip


def format_time(seconds: float) -> str | None:
    """Return a time since 1970 as a record has it; None for one beyond the years that there are."""
    try:
        return write_time(int(seconds * 1_000_000))
    except OverflowError:
        return None


def add_problem(fact: RepositoryFact, problem: str) -> None:
    """Say that something is not known, after what has been said already."""
    fact["problem"] = f"{fact['problem']} {problem}" if fact["problem"] else problem


def add_failure(fact: RepositoryFact, program: str, deadline: float, what: str) -> None:
    """Say that a program has not told something: it failed, or the deadline, one of time.monotonic(), has passed."""
    why = "took too long" if time.monotonic() >= deadline else "failed"
    add_problem(fact, f"{program} {why}, so {what} is not known.")


def keep_changed(fact: RepositoryFact, changed: list[ChangedFile]) -> None:
    """Keep the files that are not as committed, as many as fit; files that are not tracked make no tree dirty."""
    fact["dirty"] = any(file["state"] != "untracked" for file in changed)
    fact["changed"] = changed[:MOST_CHANGED]
    if len(changed) > MOST_CHANGED:
        add_problem(fact, f"{len(changed) - MOST_CHANGED} more changed files are not listed.")


def keep_diff(fact: RepositoryFact, diff: bytes, *, cut: bool) -> None:
    """Keep a diff; of one that was cut, the whole lines."""
    if cut:
        diff = diff[: diff.rfind(b"\n") + 1]
        add_problem(fact, "The changes that are not committed are longer than the limit; the diff is their beginning.")
    fact["diff"] = diff.decode("utf-8", "surrogateescape")
