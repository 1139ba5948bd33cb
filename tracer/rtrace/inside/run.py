"""A run, as scripts have it in hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import CaptureError, HistoryError, NoSuchRunError
from rtrace.inside.child import run_rtrace
from rtrace.record.document import Record
from rtrace.record.history.opening import open_history
from rtrace.record.taking.keeping import read_from_trace
from rtrace.trace.directory import TraceDirectory


@dataclass(frozen=True)
class Run:
    """A traced run: its id, its trace directory as far as that is known, and the history that it is in."""

    id: str
    directory: Path | None = None
    place: str | None = None

    @property
    def record(self) -> Record:
        """The record as it is now, annotations included: from the history, else from the trace directory.

        Raises RtraceError when it is in neither.
        """
        try:
            return open_history(self.place).read(self.id)
        except HistoryError:
            if self.directory is None:
                raise
        for record in read_from_trace(TraceDirectory(self.directory)):
            if record["id"] == self.id:
                return record
        raise NoSuchRunError(f"{self.directory} has no run {self.id} any more")

    @property
    def label(self) -> str | None:
        """The name that a person gave it."""
        return self.record["label"]

    @property
    def status(self) -> str:
        """How it ended: succeeded, failed, killed, crashed or unknown."""
        return self.record["status"]

    @property
    def exit_code(self) -> int | None:
        """The exit status of the command, None when a signal ended it."""
        return self.record["exit_code"]

    @property
    def outputs(self) -> list[str]:
        """The paths of the files that it wrote."""
        return [file["path"] for file in self.record["outputs"]]

    def pack(self, bundle: str | os.PathLike[str] = "bundle.rpz", *options: str) -> Path:
        """Pack the trace directory, as ``rtrace pack`` with these options does; return the bundle's path.

        All runs of the trace directory come along. Raises CaptureError.
        """
        directory = self.directory or Path(self.record["trace"] or "")
        status = run_rtrace(["pack", "-q", "-d", os.fspath(directory), *options, os.fspath(bundle)])
        if status:
            raise CaptureError(f"{directory} was not packed (exit status {status}); standard error has the reason")
        return Path(bundle)
