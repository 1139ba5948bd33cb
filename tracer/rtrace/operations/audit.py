"""Searching a finished bundle for secrets: its manifest, its trace database, and the files that no package owns."""

from __future__ import annotations

import sqlite3
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.bundle.data.sparse import ZEROS
from rtrace.bundle.hostile_database import check_table, open_database
from rtrace.bundle.protocol import OpenBundle
from rtrace.errors import BundleError
from rtrace.files.workspaces import temporary
from rtrace.opening import open_bundle
from rtrace.printable import printable
from rtrace.privacy.searching.findings import Finding
from rtrace.privacy.searching.scan import scan_arguments, scan_environment, scan_file
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

_READ_AGAIN = 1 << 30
"""Bytes of copies, and as many as there are of contents: a small bundle can have a million copies of a large file."""
_TABLES = {b"environments", b"executions", b"paths"}
_REPROZIP_TABLE = b"executed_files"


def audit_bundle(path: Path, progress: Progress = SILENT) -> tuple[Finding, ...]:
    """Return what looks like a secret, each thing once, in the order of the bundle. Raises BundleError."""
    with open_bundle(path) as bundle:
        found = [*_audit_manifest(bundle), *_audit_trace(bundle), *_audit_files(bundle, progress)]
    return tuple(dict.fromkeys(found))


def _audit_manifest(bundle: OpenBundle) -> Iterator[Finding]:
    for run in bundle.manifest.runs:
        owner = f"manifest: {run.id}"
        yield from scan_arguments(run.argv, owner)
        yield from scan_environment(run.environ, owner)


def _audit_trace(bundle: OpenBundle) -> Iterator[Finding]:
    """Look at every execution: the manifest may have been edited after it, and children get what it does not have."""
    if not bundle.has_trace:
        return
    with temporary("audit") as folder:
        database = folder / "trace.sqlite3"
        bundle.extract_trace(database)
        try:
            with open_database(database) as connection:
                yield from _audit_executions(connection)
        except sqlite3.Error as error:
            reason = printable(str(error).encode("utf-8", "backslashreplace"))  # SQLite quotes what it found
            raise BundleError(f"the trace in {bundle.path} cannot be searched ({reason}); pack it again") from None


def _audit_executions(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Look at arguments and environments. Raises sqlite3.Error."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if _REPROZIP_TABLE in tables:
        check_table(connection, _REPROZIP_TABLE.decode())
        yield from _audit_executions_of_reprozip(connection)
        return
    for name in sorted(_TABLES):
        check_table(connection, name.decode())
    rows = connection.execute(
        "SELECT CAST(coalesce(paths.path, x'') AS BLOB), CAST(argv AS BLOB) FROM executions"
        " LEFT JOIN paths ON paths.id = executions.path WHERE argv NOT NULL ORDER BY executions.id"
    )
    for path, argv in rows:
        if isinstance(path, bytes):  # NULL, in a database that is damaged
            yield from scan_arguments(_split_items(argv), f"trace: {printable(path)}")
    for (content,) in connection.execute(
        "SELECT CAST(content AS BLOB) FROM environments WHERE content NOT NULL ORDER BY id"
    ):
        items = (item.partition(b"=") for item in _split_items(content))
        yield from scan_environment(((name, value if equals else None) for name, equals, value in items), "trace")


def _audit_executions_of_reprozip(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Look at the same in the trace of a bundle of ReproZip, which has an environment for each execution."""
    rows = connection.execute(
        "SELECT CAST(name AS BLOB), CAST(argv AS BLOB), CAST(envp AS BLOB) FROM executed_files"
        " WHERE name NOT NULL AND argv NOT NULL AND envp NOT NULL ORDER BY id"
    )
    for path, argv, environment in rows:
        if isinstance(path, bytes):
            yield from scan_arguments(_split_items(argv), f"trace: {printable(path)}")
        items = (item.partition(b"=") for item in _split_items(environment))
        yield from scan_environment(((name, value if equals else None) for name, equals, value in items), "trace")


def _split_items(blob: bytes | None) -> list[bytes]:
    """Split a list whose items end in NUL; a damaged database may have NULL instead."""
    return blob.removesuffix(b"\0").split(b"\0") if blob else []


def _audit_files(bundle: OpenBundle, progress: Progress) -> Iterator[Finding]:
    """Look at the files that no package owns; those of a package are everybody's."""
    progress.start("searching", sum(not entry.is_published for entry in bundle.iterate_entries()), "files")
    again = _READ_AGAIN
    for entry, parts in bundle.stream_data():
        if entry.copy_of is None:
            again += entry.size
        elif not entry.is_published:
            again -= entry.size
        if entry.is_published or (entry.copy_of is not None and again < 0):
            continue
        parts = (part for part in parts if part is not ZEROS)  # noqa: PLW2901 -- a hole holds no secret
        beginning = next(parts, b"")
        if beginning:
            yield from scan_file(entry.path, chain([beginning], parts))
        progress.advance(1)
    progress.finish()
