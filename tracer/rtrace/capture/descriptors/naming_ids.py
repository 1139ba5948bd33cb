"""Words of shells and programs that name process ids of the run: a replay has others, so that its words are others."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable

from rtrace.capture.books.notices import NoticeBook

LOOKED_AT = 1 << 20
"""Bytes of a stream that are searched."""
SHOWN = 3
NAMING = re.compile(
    rb"line [0-9]+: +([0-9]+) [A-Z]"  # bash: "run.sh: line 3:  1234 Segmentation fault"
    rb"|^\[[0-9]+\] +([0-9]+)\b"  # a shell's job: "[1] 1234"
    rb"|\b(?:pid|process)[ =:(#]{1,3}([0-9]+)\b",
    re.MULTILINE | re.IGNORECASE,
)


def find_named(text: bytes, pids: frozenset[int]) -> tuple[int, ...]:
    """Return the process ids among ``pids`` that a text names as such, in their order."""
    found = (int(number) for match in NAMING.finditer(text) for number in match.groups() if number)
    return tuple(dict.fromkeys(number for number in found if number in pids))


def tell_of_ids(
    notices: NoticeBook, connection: sqlite3.Connection, run: int, texts: Iterable[tuple[str, str, bytes]]
) -> None:
    """Tell of the streams that name processes of the run; ``texts`` are (name, its words, content)."""
    pids: frozenset[int] | None = None
    for name, words, text in texts:
        if not NAMING.search(text):
            continue
        if pids is None:
            rows = connection.execute("SELECT DISTINCT pid FROM processes WHERE run = ?", (run,))
            pids = frozenset(pid for (pid,) in rows)
        if found := find_named(text, pids):
            shown = ", ".join(map(str, found[:SHOWN])) + (", ..." if len(found) > SHOWN else "")
            what = f"{words} names process ids of the run ({shown}), and a replay has others"
            notices.add("stream", what, f"`rtrace verify --ignore {name}` leaves it out of the verdict")


def read_part(path: str | os.PathLike[str], begin: int, end: int) -> bytes:
    """Return the first bytes of a part of a file; none where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return os.pread(file.fileno(), min(LOOKED_AT, end - begin), begin)
    except OSError:  # ENOENT, EACCES: what cannot be read is searched for nothing
        return b""
