"""The rows of one trace added to another: ids of runs, processes, environments and paths are numbered anew."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from rtrace.printable import name_some
from rtrace.trace.directory import add_columns

if TYPE_CHECKING:
    from pathlib import Path

_TABLES = (
    "environments", "processes", "facts", "snapshots", "attributes", "executions", "uses", "moves", "connections",
    "results", "streams", "notices",
)  # fmt: skip
_RENUMBERED = {
    "run": "(SELECT new FROM temp.run_numbers WHERE old = {column})",
    "process": "{column} + :processes",
    "parent": "{column} + :processes",
    "environment": "{column} + :environments",
    "path": "(SELECT new FROM temp.path_numbers WHERE old = {column})",
    "source": "(SELECT new FROM temp.path_numbers WHERE old = {column})",
    "destination": "(SELECT new FROM temp.path_numbers WHERE old = {column})",
    "file": ":prefix || {column}",
}
"""What a column becomes on the way, by its name; other columns stay as they are."""
_OWN_IDS = {"processes": "id + :processes", "environments": "id + :environments"}
_BYTES_PATHS = frozenset({"streams"})
"""Tables whose ``path`` is the path itself."""
_NUMBERED = re.compile(r"run\d+")
_SHOWN = 3


def add_trace(
    connection: sqlite3.Connection,
    source: Path,
    prefix: str,
    numbers: dict[int, int],
) -> dict[str, str]:
    """Add all rows of the database ``source``, and return the new names of its runs by the former ones.

    It is a copy, to which columns are added that it lacks. ``prefix`` goes before the names of the trace's snapshots
    and streams, ``numbers`` are its runs' new ones.
    """
    with closing(sqlite3.connect(source, isolation_level=None)) as older:
        add_columns(older)
    connection.execute("ATTACH ? AS source", (os.fsencode(source),))
    connection.execute("BEGIN")
    connection.execute("CREATE TEMP TABLE run_numbers(old INTEGER PRIMARY KEY, new INTEGER)")
    connection.executemany("INSERT INTO run_numbers VALUES (?, ?)", numbers.items())
    renamed = _add_runs(connection, numbers)
    connection.execute("INSERT OR IGNORE INTO main.paths(path) SELECT path FROM source.paths ORDER BY id")
    connection.execute(
        "CREATE TEMP TABLE path_numbers AS SELECT theirs.id AS old, ours.id AS new"
        " FROM source.paths AS theirs JOIN main.paths AS ours ON ours.path = theirs.path"
    )
    connection.execute("CREATE UNIQUE INDEX temp.path_number ON path_numbers(old)")
    values = {
        "prefix": prefix,
        "processes": _highest(connection, "processes"),
        "environments": _highest(connection, "environments"),
    }
    for table in _TABLES:
        columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
        wanted = ", ".join(_translate(table, column) for column in columns)
        names = ", ".join(f'"{column}"' for column in columns)
        connection.execute(
            f"INSERT INTO main.{table}({names}) SELECT {wanted} FROM source.{table}",  # noqa: S608 - names of ours
            values,
        )
    connection.execute("DROP TABLE temp.run_numbers")
    connection.execute("DROP TABLE temp.path_numbers")
    connection.execute("COMMIT")
    connection.execute("DETACH source")
    return renamed


def _add_runs(connection: sqlite3.Connection, numbers: dict[int, int]) -> dict[str, str]:
    """Add the rows of the runs under their new numbers; a name that a person gave stays if it is still free."""
    columns = [row[1] for row in connection.execute("PRAGMA main.table_info(runs)")]
    taken = {name for (name,) in connection.execute("SELECT name FROM main.runs")}
    renamed = {}
    for row in connection.execute("SELECT * FROM source.runs ORDER BY id").fetchall():
        values = dict(zip(columns, row, strict=True))
        number = values["id"] = numbers[values["id"]]
        former = values["name"]
        if _NUMBERED.fullmatch(values["name"]) or values["name"] in taken:
            values["name"] = f"run{number}"
        taken.add(values["name"])
        renamed[former] = values["name"]
        marks = ", ".join("?" * len(values))
        connection.execute(f"INSERT INTO main.runs VALUES ({marks})", tuple(values.values()))  # noqa: S608
    return renamed


def _translate(table: str, column: str) -> str:
    """Return the SQL expression for a column on its way from one trace to another."""
    if column == "id":
        return _OWN_IDS.get(table, "NULL")
    if column == "path" and table in _BYTES_PATHS:
        return "path"
    return _RENUMBERED.get(column, "{column}").format(column=f'"{column}"')


def _highest(connection: sqlite3.Connection, table: str) -> int:
    """Return the highest id of a table so far, 0 for an empty one."""
    number: int = connection.execute(f"SELECT ifnull(max(id), 0) FROM main.{table}").fetchone()[0]  # noqa: S608
    return number


def note_differences(connection: sqlite3.Connection) -> None:
    """Note the files that no run changed and that differed between the hosts: a bundle holds one file per path."""
    differing = connection.execute(
        "SELECT paths.path, group_concat(DISTINCT runs.hostname) FROM facts JOIN runs ON runs.id = facts.run"
        " JOIN paths ON paths.id = facts.path WHERE facts.type IN ('file', 'symlink')"
        " AND facts.path NOT IN (SELECT path FROM results) GROUP BY facts.path"
        " HAVING count(DISTINCT runs.hostname) > 1"
        " AND count(DISTINCT facts.type || facts.size || '|' || ifnull(hex(facts.target), '')) > 1 ORDER BY paths.path"
    ).fetchall()
    if differing:
        hosts = ", ".join(sorted({name for _, names in differing for name in names.split(",")}))
        shown = name_some([path.decode(errors="backslashreplace") for path, _ in differing], _SHOWN)
        connection.execute(
            "INSERT INTO notices(run, kind, what, advice) VALUES (1, 'hosts', ?, ?)",
            (
                f"not the same on all hosts ({hosts}): {shown}",
                "the bundle holds what the earliest run met; pack the hosts' traces apart where that matters",
            ),
        )
