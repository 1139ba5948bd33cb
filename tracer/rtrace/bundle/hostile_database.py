"""A trace database that came in a bundle, opened as what it may be: hostile. The limits of SQLite's time and memory.

A view in the place of a table, or a column that is computed, can go on for ever, or ask for gigabytes; a damaged file
can give NULL where its schema forbids that. So callers ask real tables only, and look at the type of what they get.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEPS_FREE = 200
STEP_SIZE = 10_000
"""Steps that the questions to any database may take, and one more for so many bytes of its file."""
_STEP = 100_000
"""Instructions of SQLite's machine between two looks: a row, of 50 bytes and more, takes some 50 of them."""
_VALUE_LIMIT = 64 << 20


def count_steps(path: Path) -> int:
    """Return how many steps all questions to a database together may take."""
    return STEPS_FREE + path.stat().st_size // STEP_SIZE


@contextmanager
def open_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading; text comes as bytes. Raises sqlite3.Error, also when the steps are used up."""
    left = iter(range(count_steps(path)))
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        connection.text_factory = bytes
        connection.set_progress_handler(lambda: next(left, None) is None, _STEP)
        connection.execute("PRAGMA trusted_schema = OFF")
        if sys.version_info >= (3, 11):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_LIMIT)
        try:
            yield connection
        except UnicodeDecodeError:  # SQLite quotes the damaged schema in its own error, which Python cannot read then
            raise sqlite3.DatabaseError("its schema is not UTF-8") from None
        except MemoryError:  # what SQLite says of a size in the file that it cannot believe
            raise sqlite3.DatabaseError("it asks for more memory than it may have") from None


def check_table(connection: sqlite3.Connection, name: str) -> set[str]:
    """Return the columns of a table. Raises sqlite3.Error for a view, for nothing, and where a column is computed."""
    row = connection.execute("SELECT type FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    if row is None or row[0] not in {"table", b"table"}:
        raise sqlite3.DatabaseError(f"it has no table {name}")
    columns = list(connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (name,)))
    if any(hidden for _, hidden in columns):
        raise sqlite3.DatabaseError(f"the table {name} has columns that are computed")
    return {column if isinstance(column, str) else column.decode("utf-8", "replace") for column, _ in columns}
