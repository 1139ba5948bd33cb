"""A trace database in pieces, for where a limit on the size of files (``ulimit -f``) lets none grow as it needs.

    trace.sqlite3               empty
    trace.sql.1of2, .2of2       the database as SQL, compressed by zlib and cut

While a run is traced the database is in memory then, so a tracer that is killed leaves none.
"""

from __future__ import annotations

import re
import resource
import sqlite3
import zlib
from pathlib import Path

SMALLEST = 64 << 20
"""Bytes; larger limits are left to the traces that reach them."""
PIECE = "trace.sql."
NEW = "new."
_NAME = re.compile(r"trace\.sql\.([0-9]{1,9})of([0-9]{1,9})")


class PiecedConnection(sqlite3.Connection):
    """A database in memory, whose ``folder`` is where its pieces go."""

    folder = Path()

    def save(self) -> None:
        """Write the database in pieces, in place of those that are there. Raises OSError."""
        size = find_limit() or SMALLEST
        text = zlib.compress("\n".join(self.iterdump()).encode("utf-8", "surrogateescape"))
        parts = [text[start : start + size] for start in range(0, len(text), size)]
        for number, part in enumerate(parts, 1):
            (self.folder / f"{NEW}{number}").write_bytes(part)
        remove_pieces(self.folder)
        for number in range(1, len(parts) + 1):
            (self.folder / f"{NEW}{number}").rename(self.folder / f"{PIECE}{number}of{len(parts)}")


def find_limit() -> int | None:
    """Return how many bytes a file may have, None where a database may grow as it needs."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY or limit >= SMALLEST else limit


def list_pieces(folder: Path) -> list[Path]:
    """Return the pieces in a folder in their order; nothing where one is missing."""
    found = {int(match[1]): (path, int(match[2])) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
    whole = found and sorted(found) == list(range(1, found[min(found)][1] + 1))
    return [found[number][0] for number in sorted(found)] if whole else []


def remove_pieces(folder: Path) -> None:
    """Remove the pieces of a folder."""
    for path in folder.iterdir():
        if _NAME.fullmatch(path.name):
            path.unlink()


def open_in_memory(folder: Path, database: Path) -> PiecedConnection:
    """Load a database into memory, from its pieces, or else from its file. Raises sqlite3.Error."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=PiecedConnection)
    connection.folder = folder
    pieces = list_pieces(folder)
    if pieces:
        text = zlib.decompress(b"".join(piece.read_bytes() for piece in pieces))
        connection.executescript(text.decode("utf-8", "surrogateescape"))
    elif database.stat().st_size:
        source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        source.backup(connection)
        source.close()
    return connection
