"""Runs commands under rtrace, and reads back what the trace says of them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtrace.trace.directory import TraceDirectory
from rtrace.trace.private import find_destination, find_private
from rtrace.trace.schema import Use

Row = dict[str, Any]


@dataclass(frozen=True)
class Observation:
    """A finished trace: how the command ended, and the trace database's rows."""

    completed: subprocess.CompletedProcess[bytes]
    directory: Path

    def rows(self, query: str, *values: object) -> list[Row]:
        """Return the rows of a query, each by column name."""
        with closing(sqlite3.connect(self.directory / "trace.sqlite3")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def uses(self) -> dict[bytes, Use]:
        """Return every path that was used, with all its uses by all processes, as the calls asked for them."""
        found: dict[bytes, Use] = {}
        asked = "SELECT p.path, u.use FROM uses u JOIN paths p ON p.id = u.path WHERE u.use NOT IN (?, ?)"
        for row in self.rows(asked, int(Use.UNREAD), int(Use.KEPT)):
            found[row["path"]] = found.get(row["path"], Use(0)) | Use(row["use"])
        return found

    @classmethod
    def of_running(cls, directory: Path) -> Observation:
        """Observe a trace that is being made, out of its run's sight, and will be a trace directory in the end."""
        (private,) = find_private(find_destination(TraceDirectory(directory)))
        return cls(subprocess.CompletedProcess([], 0), private / "trace")

    def uses_below(self, folder: Path) -> dict[bytes, Use]:
        """Return the used paths in a folder, relative to it; the folder itself is ``.``."""
        top = os.fsencode(folder)
        below = {path: use for path, use in self.uses().items() if path == top or path.startswith(top + b"/")}
        return {path[len(top) + 1 :] or b".": use for path, use in below.items()}

    def facts(self, path: Path | bytes) -> Row:
        """Return what was at a path before the run touched it."""
        query = "SELECT f.* FROM facts f JOIN paths p ON p.id = f.path WHERE p.path = ?"
        (row,) = self.rows(query, os.fsencode(path))
        return row

    def snapshot(self, path: Path) -> bytes | None:
        """Return the content that was kept of a file before it was changed, None when nothing was kept."""
        query = "SELECT s.file FROM snapshots s JOIN paths p ON p.id = s.path WHERE p.path = ?"
        rows = self.rows(query, os.fsencode(path))
        return (self.directory / "snapshots" / rows[0]["file"]).read_bytes() if rows else None


def run_rtrace(*arguments: str | bytes | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run ``rtrace`` with these arguments, its output captured."""
    command: list[bytes | str] = [sys.executable, "-m", "rtrace"]
    command += [os.fsencode(argument) for argument in arguments]
    options = {"capture_output": True, "timeout": 120, **options}
    completed: subprocess.CompletedProcess[bytes] = subprocess.run(command, check=False, **options)
    return completed


def observe(directory: Path, *command: str | bytes | Path, **options: Any) -> Observation:
    """Trace a command into a new trace directory, quietly."""
    return Observation(run_rtrace("trace", "-q", "-d", directory, "--", *command, **options), directory)
