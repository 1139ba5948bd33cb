"""Trace directories brought together: the ranks of an MPI job, the steps or hosts of a pipeline, as runs of one trace.

The runs are put in the order in which they began. Ids of runs, processes, environments and paths are numbered anew and
every row that names one follows, parents included; times stay as they are, counted from the start of their own run.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.capture.books.results import hash_file
from rtrace.capture.books.snapshots import take_snapshot
from rtrace.errors import TraceError, UsageError
from rtrace.interrupts import held
from rtrace.operations.trace import write_new_manifest
from rtrace.printable import printable
from rtrace.trace.directory import TraceDirectory, add_columns, close
from rtrace.trace.place import give_place, make_trace
from rtrace.trace.reader import copy_database, open_for_reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rtrace.manifest.model import Manifest

TABLES = (
    "environments", "processes", "facts", "snapshots", "attributes", "executions", "uses", "moves", "connections",
    "results", "streams", "notices",
)  # fmt: skip
RENUMBERED = {
    "run": "(SELECT new FROM temp.run_numbers WHERE old = {column})",
    "process": "{column} + :processes",
    "parent": "{column} + :processes",
    "environment": "{column} + :environments",
    "path": "(SELECT new FROM temp.path_numbers WHERE old = {column})",
    "source": "(SELECT new FROM temp.path_numbers WHERE old = {column})",
    "destination": "(SELECT new FROM temp.path_numbers WHERE old = {column})",
    "file": ":prefix || {column}",
}
"""What becomes of a column on the way, by its name; a column that is not here stays as it is."""
OWN_IDS = {"processes": "id + :processes", "environments": "id + :environments"}
BYTES_PATHS = frozenset({"streams"})
"""Tables whose ``path`` is the path itself."""
_NUMBERED = re.compile(r"run\d+")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Combined:
    """What was brought together: the manifest of all, and the sentences about what of the edits has no place in it."""

    manifest: Manifest
    problems: tuple[str, ...]
    runs: int


def combine(sources: Sequence[TraceDirectory], target: TraceDirectory) -> Combined:
    """Make one trace directory of several, which stay as they are.

    Raises TraceError when one cannot be read or the target exists, UsageError when one is given twice, BusyError when
    one is in use, and ManifestError when one of the manifests is none.
    """
    if len({source.path.resolve() for source in sources}) < len(sources):
        raise UsageError("a trace directory is named twice; name each one once")
    if os.path.lexists(target.path):
        raise TraceError(f"{target.path} exists already; remove it, or use -d to write elsewhere")
    with contextlib.ExitStack() as stack:
        for source in sources:
            stack.enter_context(source.lock(shared=True))
        manifests = read_manifests(sources)
        numbers = number_runs(sources)
        workspace = stack.enter_context(held(lambda: make_trace(target)))
        unfinished = TraceDirectory(workspace.path)
        names = add_sources(sources, numbers, unfinished)
        manifest, problems = join_manifests(sources, manifests, names, unfinished, target)
        write_new_manifest(manifest, unfinished)
        give_place(workspace, target)
    return Combined(manifest, problems, sum(map(len, names)))


class Copies:
    """The files that are copied to a folder: each content is there once, and every further name of it is a hard link.

    A file is hashed once at most, and only when another one has its size.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_size: dict[int, dict[str | None, Path]] = {}
        """Copies by their size and digest; None stands for the digest of the first of a size, which has no other."""

    def add(self, source: Path, prefix: str) -> None:
        """Copy all files of a folder under longer names."""
        for path in sorted(source.iterdir()):
            copy = self._folder / f"{prefix}{path.name}"
            size = path.stat().st_size
            copies = self._by_size.setdefault(size, {})
            if None in copies:
                first = copies.pop(None)
                copies[hash_file(os.fsencode(first))] = first
            digest = hash_file(os.fsencode(path)) if copies else None
            if digest in copies:
                copy.hardlink_to(copies[digest])
            else:
                take_snapshot(os.fsencode(path), copy, size)
                copies[digest] = copy


def add_sources(
    sources: Sequence[TraceDirectory], numbers: Sequence[dict[int, int]], target: TraceDirectory
) -> tuple[dict[str, str], ...]:
    """Add all traces to an empty one; return for each the names that its runs have now by those they had."""
    names = []
    snapshots, streams = Copies(target.snapshots), Copies(target.streams)
    with closing(target.open()) as connection:
        for index, source in enumerate(sources):
            try:
                names.append(add_source(connection, source, target, f"{index + 1}-", numbers[index]))
            except sqlite3.Error as error:
                raise TraceError(f"{source.database} cannot be read ({error}); leave it out, or trace again") from None
            snapshots.add(source.snapshots, f"{index + 1}-")
            if source.streams.is_dir():
                target.streams.mkdir(mode=0o700, exist_ok=True)
                streams.add(source.streams, f"{index + 1}-")
        note_differences(connection)
        close(connection)
    return tuple(names)


def read_manifests(sources: Sequence[TraceDirectory]) -> tuple[tuple[str, Manifest] | None, ...]:
    """Read the manifests that persons may have edited; None where there is none. Raises ManifestError."""
    from rtrace.manifest.reading.load import load, read_text

    texts = [read_text(source.manifest) if source.manifest.exists() else None for source in sources]
    return tuple(
        None if text is None else (text, load(text, str(source.manifest)))
        for source, text in zip(sources, texts, strict=True)
    )


def join_manifests(
    sources: Sequence[TraceDirectory],
    manifests: Sequence[tuple[str, Manifest] | None],
    names: Sequence[dict[str, str]],
    unfinished: TraceDirectory,
    target: TraceDirectory,
) -> tuple[Manifest, tuple[str, ...]]:
    """Draft the manifest of a combined trace, with what was edited in those of its sources; say what has no place.

    ``names`` are the new names of the sources' runs by the former ones, ``target`` is where the trace will be.
    """
    from rtrace.describe.draft import draft_manifest
    from rtrace.manifest.merging.joining import Edited, join_edits
    from rtrace.manifest.merging.revision import has_own_comments

    edited = []
    problems = []
    for source, read, runs in zip(sources, manifests, names, strict=True):
        if read is None:
            continue
        text, manifest = read
        name = printable(os.fsencode(source.manifest))
        with closing(open_for_reading(source)) as connection:
            edited.append(Edited(name, draft_manifest(connection, source), manifest, runs))
        if has_own_comments(text, manifest):
            problems.append(f"comments and layout of {name} stay there, for the manifest of all is a new one")
    with closing(open_for_reading(unfinished)) as connection:
        draft = draft_manifest(connection, target)
    joined, more = join_edits(draft, edited)
    return joined, (*problems, *more)


def number_runs(sources: Sequence[TraceDirectory]) -> list[dict[int, int]]:
    """Give for each source the new number of each of its runs, in the order in which they began."""
    began = []
    for index, source in enumerate(sources):
        with closing(open_for_reading(source)) as connection:
            began += [(time, index, run) for run, time in connection.execute("SELECT id, started FROM runs")]
    numbers: list[dict[int, int]] = [{} for _ in sources]
    for number, (_, index, run) in enumerate(sorted(began), 1):
        numbers[index][run] = number
    return numbers


def add_source(
    connection: sqlite3.Connection,
    source: TraceDirectory,
    target: TraceDirectory,
    prefix: str,
    numbers: dict[int, int],
) -> dict[str, str]:
    """Add all rows of one trace; ``prefix`` goes before the names of its copies, ``numbers`` are its runs' new ones.

    Returns the new names of its runs by the former ones.
    """
    copy = target.path / "source.sqlite3"
    with closing(open_for_reading(source)) as reading:
        copy_database(reading, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as older:
        add_columns(older)
    connection.execute("ATTACH ? AS source", (os.fsencode(copy),))
    connection.execute("BEGIN")
    connection.execute("CREATE TEMP TABLE run_numbers(old INTEGER PRIMARY KEY, new INTEGER)")
    connection.executemany("INSERT INTO run_numbers VALUES (?, ?)", numbers.items())
    renamed = add_runs(connection, numbers)
    connection.execute("INSERT OR IGNORE INTO main.paths(path) SELECT path FROM source.paths ORDER BY id")
    connection.execute(
        "CREATE TEMP TABLE path_numbers AS SELECT theirs.id AS old, ours.id AS new"
        " FROM source.paths AS theirs JOIN main.paths AS ours ON ours.path = theirs.path"
    )
    connection.execute("CREATE UNIQUE INDEX temp.path_number ON path_numbers(old)")
    values = {
        "prefix": prefix,
        "processes": highest(connection, "processes"),
        "environments": highest(connection, "environments"),
    }
    for table in TABLES:
        columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
        wanted = ", ".join(translate(table, column) for column in columns)
        names = ", ".join(f'"{column}"' for column in columns)
        connection.execute(
            f"INSERT INTO main.{table}({names}) SELECT {wanted} FROM source.{table}",  # noqa: S608 - names of ours
            values,
        )
    connection.execute("DROP TABLE temp.run_numbers")
    connection.execute("DROP TABLE temp.path_numbers")
    connection.execute("COMMIT")
    connection.execute("DETACH source")
    copy.unlink()
    return renamed


def add_runs(connection: sqlite3.Connection, numbers: dict[int, int]) -> dict[str, str]:
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


def translate(table: str, column: str) -> str:
    """Give the SQL expression for a column on its way from one trace to another."""
    if column == "id":
        return OWN_IDS.get(table, "NULL")
    if column == "path" and table in BYTES_PATHS:
        return "path"
    return RENUMBERED.get(column, "{column}").format(column=f'"{column}"')


def highest(connection: sqlite3.Connection, table: str) -> int:
    """Return the highest id of a table so far, 0 for an empty one."""
    number: int = connection.execute(f"SELECT ifnull(max(id), 0) FROM main.{table}").fetchone()[0]  # noqa: S608
    return number


def note_differences(connection: sqlite3.Connection) -> None:
    """Tell of files that no run changed and that were not the same on all hosts: a bundle holds one of each path."""
    differing = connection.execute(
        "SELECT paths.path, group_concat(DISTINCT runs.hostname) FROM facts JOIN runs ON runs.id = facts.run"
        " JOIN paths ON paths.id = facts.path WHERE facts.type IN ('file', 'symlink')"
        " AND facts.path NOT IN (SELECT path FROM results) GROUP BY facts.path"
        " HAVING count(DISTINCT runs.hostname) > 1"
        " AND count(DISTINCT facts.type || facts.size || '|' || ifnull(hex(facts.target), '')) > 1 ORDER BY paths.path"
    ).fetchall()
    if differing:
        hosts = ", ".join(sorted({name for _, names in differing for name in names.split(",")}))
        shown = ", ".join(path.decode(errors="backslashreplace") for path, _ in differing[:_SHOWN])
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        connection.execute(
            "INSERT INTO notices(run, kind, what, advice) VALUES (1, 'hosts', ?, ?)",
            (
                f"not the same on all hosts ({hosts}): {shown}{more}",
                "the bundle holds what the earliest run met; pack the hosts' traces apart where that matters",
            ),
        )
