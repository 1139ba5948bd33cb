"""What a run left behind: the state of every path that it may have changed, taken when its last process has ended."""

from __future__ import annotations

import os
import stat

from rtrace.capture.books.ledger import Ledger
from rtrace.capture.books.path_state import TYPE_NAMES
from rtrace.capture.books.rows import ResultRow
from rtrace.capture.books.unobserved import is_nothing_for_anybody
from rtrace.files.reading import hash_file
from rtrace.files.stamps import keep_inode, keep_time

DIGEST_BUDGET = 64 << 20
"""Bytes of output that are hashed at the end of a run; ``pack`` hashes the rest if it is unchanged by then."""


def record_results(ledger: Ledger) -> None:
    """Note type, size, times and digest of each path that the run created, changed or removed.

    What the run itself made and removed again is no result.
    """
    budget = DIGEST_BUDGET
    rows = ledger.journal.pending["results"]
    for state in ledger.states.values():
        if not state.mutated:
            continue
        try:
            status = os.lstat(state.path)
            target = os.readlink(state.path) if stat.S_ISLNK(status.st_mode) else None
        except OSError as error:
            if not is_nothing_for_anybody(error):
                ledger.tell_unobserved(error)
            elif state.existed:  # else it was a temporary file
                rows.append(ResultRow(ledger.run, state.id))
            continue
        kind = TYPE_NAMES.get(stat.S_IFMT(status.st_mode), "char")
        digest = None
        if kind == "file" and status.st_size <= budget:
            digest = hash_file(state.path, follow=False)
            budget -= status.st_size
        rows.append(
            ResultRow(
                run=ledger.run,
                path=state.id,
                type=kind,
                mode=status.st_mode & 0o7777,
                size=status.st_size,
                mtime_ns=keep_time(status.st_mtime_ns),
                device=status.st_dev,
                inode=keep_inode(status.st_ino),
                sha256=None if digest is None else digest.hex(),
                target=target,
            )
        )
