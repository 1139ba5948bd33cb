"""Texts in a trace database: read to find secrets and names in them, and replaced down to the free pages of a copy."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Rewrite = Callable[[bytes], bytes]

_PATHS = "paths"


class ExecutedCommand(NamedTuple):
    """An executed program: its path, its arguments, each with a NUL, and the folder its path starts from."""

    binary: bytes
    argv: bytes
    workingdir: bytes


@dataclass(frozen=True)
class Anonymization:
    """The functions that make the columns of a trace anonymous: each takes a value and returns what replaces it.

    ``text`` is applied to every text and byte string. ``environment`` takes variables, each with a NUL behind it,
    ``groups`` a list of ids as text, ``attribute`` the name and the value of an extended attribute.
    """

    text: Rewrite
    environment: Rewrite
    hostname: Callable[[str], str]
    release: Callable[[str], str]
    user: Callable[[int], int]
    groups: Callable[[str], str]
    attribute: Callable[[bytes, bytes], bytes]


def read_commands(connection: sqlite3.Connection) -> Iterator[ExecutedCommand]:
    """Yield every distinct command that a run executed, and those of the runs themselves."""
    rows = connection.execute(
        "SELECT DISTINCT paths.path, argv, x'2f' FROM executions JOIN paths ON paths.id = executions.path"
        " UNION SELECT binary, argv, workingdir FROM runs"
    )
    yield from map(ExecutedCommand._make, rows)


def read_environments(connection: sqlite3.Connection) -> Iterator[bytes]:
    """Yield every distinct environment, each variable with a NUL behind it."""
    for (content,) in connection.execute("SELECT content FROM environments UNION SELECT environ FROM runs"):
        yield content


def read_paths(connection: sqlite3.Connection) -> Iterator[bytes]:
    """Yield every path that the trace names."""
    for (path,) in connection.execute("SELECT path FROM paths"):
        yield path


def is_in_some_path(connection: sqlite3.Connection, word: bytes) -> bool:
    """Whether a word occurs in a path of the trace."""
    row = connection.execute("SELECT 1 FROM paths WHERE instr(path, ?) LIMIT 1", (word,)).fetchone()
    return row is not None


def read_kept_streams(connection: sqlite3.Connection) -> dict[tuple[str, int], str]:
    """Return the files of the standard streams that were kept in full, by the run's name and the descriptor."""
    rows = connection.execute(
        "SELECT runs.name, descriptor, file FROM streams JOIN runs ON runs.id = streams.run"
        " WHERE file NOT NULL AND kept = size"
    )
    return {(run, descriptor): file for run, descriptor, file in rows}


def redact_database(
    database: Path, *, command: Callable[[ExecutedCommand], bytes], environment: Rewrite, text: Rewrite | None
) -> None:
    """Replace arguments and environments in a copy of a trace database, and with ``text`` everything else as well.

    ``command`` returns the new arguments of a command.
    """
    rewriter = _Rewriter(database)
    rewriter.rewrite_column(
        "SELECT executions.id, argv, paths.path, x'2f' FROM executions JOIN paths ON paths.id = executions.path",
        "UPDATE executions SET argv = ? WHERE id = ?",
        lambda row: command(ExecutedCommand(row[2], row[1], row[3])),
    )
    rewriter.rewrite_column(
        "SELECT id, argv, binary, workingdir FROM runs",
        "UPDATE runs SET argv = ? WHERE id = ?",
        lambda row: command(ExecutedCommand(row[2], row[1], row[3])),
    )
    for table, column in (("environments", "content"), ("runs", "environ")):
        rewriter.rewrite_column(
            f"SELECT id, {column} FROM {table}",  # noqa: S608 -- names that stand here
            f"UPDATE {table} SET {column} = ? WHERE id = ?",  # noqa: S608
            lambda row: environment(row[1]),
        )
    if text is not None:
        rewriter.rewrite_everything(text)
    rewriter.finish()


def anonymize_database(database: Path, with_: Anonymization) -> None:
    """Replace names, owners and machines in a copy of a trace database."""
    rewriter = _Rewriter(database)
    rewriter.rewrite_everything(with_.text)
    connection = rewriter.connection
    connection.create_function("new_user", 1, lambda number: None if number is None else with_.user(number))
    connection.create_function("new_groups", 1, with_.groups)
    connection.create_function("new_release", 1, with_.release)
    connection.create_function("new_environment", 1, with_.environment)
    connection.create_function("new_hostname", 1, with_.hostname)
    connection.create_function("new_attribute", 2, with_.attribute)
    connection.execute("UPDATE facts SET uid = new_user(uid), gid = new_user(gid)")
    connection.execute("UPDATE attributes SET value = new_attribute(name, value) WHERE value IS NOT NULL")
    connection.execute(
        "UPDATE runs SET uid = new_user(uid), gid = new_user(gid), groups = new_groups(groups),"
        " release = new_release(release), environ = new_environment(environ), hostname = new_hostname(hostname)"
    )
    connection.execute("UPDATE environments SET content = new_environment(content)")
    rewriter.finish()


class _Rewriter:
    """A copy of a trace database that is being changed: nothing of its former content stays in free pages."""

    def __init__(self, database: Path) -> None:
        self.connection = sqlite3.connect(database, isolation_level=None)
        self.connection.execute("PRAGMA secure_delete = ON")
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        self.connection.execute("BEGIN")

    def rewrite_column(self, rows: str, update: str, rewrite: Callable[[tuple[Any, ...]], bytes]) -> None:
        """Rewrite the second column of a query's rows (id, content, ...) with a statement that takes content and id."""
        for row in self.connection.execute(rows).fetchall():
            content = rewrite(row)
            if content != row[1]:
                self.connection.execute(update, (content, row[0]))

    def rewrite_everything(self, rewrite: Rewrite) -> None:
        """Rewrite every text and byte string of every table."""
        self.connection.create_function("rewrite", 1, rewrite, deterministic=True)
        self.connection.create_function("concerns", 1, lambda value: rewrite(value) != value, deterministic=True)
        self._keep_paths_apart(rewrite)
        for table, column in self._columns():
            self.connection.execute(
                f'UPDATE "{table}" SET "{column}" = CASE typeof("{column}")'  # noqa: S608 -- names of the schema
                f' WHEN \'text\' THEN CAST(rewrite(CAST("{column}" AS BLOB)) AS TEXT) ELSE rewrite("{column}") END'
                f" WHERE typeof(\"{column}\") IN ('text', 'blob') AND concerns(CAST(\"{column}\" AS BLOB))"
            )

    def _keep_paths_apart(self, rewrite: Rewrite) -> None:
        """Rewrite the paths, which are unique: those that would be the same then get a number."""
        rows = self.connection.execute("SELECT id, path FROM paths ORDER BY id").fetchall()
        changed = [(number, path, new) for number, path in rows if (new := rewrite(path)) != path]
        if not changed:
            return
        renamed: list[tuple[bytes, int]] = []
        taken = {path for _, path in rows} - {path for _, path, _ in changed}
        counts: Counter[bytes] = Counter()
        for number, _, new in changed:
            free = new
            while free in taken:
                counts[new] += 1
                free = b"%s-%d" % (new, counts[new] + 1)
            taken.add(free)
            self.connection.execute("UPDATE paths SET path = ? WHERE id = ?", (b"\0%d" % number, number))
            renamed.append((free, number))
        self.connection.executemany("UPDATE paths SET path = ? WHERE id = ?", renamed)

    def finish(self) -> None:
        """Write the database anew, without free pages."""
        with closing(self.connection) as connection:
            connection.execute("COMMIT")
            connection.execute("VACUUM")
            connection.execute("PRAGMA journal_mode = DELETE")

    def _columns(self) -> Iterator[tuple[str, str]]:
        """Yield tables and their columns; the paths, which are unique, are rewritten apart."""
        tables = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (table,) in tables:
            if table == _PATHS:
                continue
            for column in self.connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                yield table, column[1]
