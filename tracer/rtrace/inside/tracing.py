"""``rtrace.trace``: a command traced from a script."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import CaptureError
from rtrace.inside.child import run_rtrace
from rtrace.inside.run import Run
from rtrace.record.taking.keeping import list_documents, read_from_trace
from rtrace.trace import DATABASE, DEFAULT_NAME
from rtrace.trace.directory import TraceDirectory

CAPTURED = "RTRACE_CAPTURED"
"""A variable by which a traced program knows that it is, in a replay as well, where nobody traces it."""


@dataclass(frozen=True)
class Said:
    """What a person says of a run, and whether its record goes into the history."""

    label: str | None = None
    reason: str | None = None
    tags: tuple[str, ...] = ()
    project: str | None = None
    history: bool = True

    @property
    def options(self) -> list[str]:
        """The same as options of `rtrace trace`."""
        words = []
        for name, value in (("label", self.label), ("reason", self.reason), ("project", self.project)):
            words += [] if value is None else [f"--{name}={value}"]
        words += [f"--tag={tag}" for tag in self.tags]
        return words if self.history else [*words, "--no-history"]


def trace(
    command: Sequence[str | bytes | os.PathLike[str]],
    *,
    label: str | None = None,
    reason: str | None = None,
    tags: Iterable[str] = (),
    project: str | None = None,
    directory: str | os.PathLike[str] = DEFAULT_NAME,
    history: bool = True,
) -> Run:
    """Run a command under the tracer, as ``rtrace trace`` does; return the run, however the command ended.

    Where the trace directory is there already, the run is added to it. Raises CaptureError when nothing was traced.
    """
    words = [os.fsencode(word) for word in command]
    if not words:
        raise CaptureError("the command to trace is empty; name a program")
    said = Said(label, reason, tuple(tags), project, history)
    return trace_words(words, Path(directory), said)


def trace_words(words: Sequence[bytes], directory: Path, said: Said) -> Run:
    """Trace a command into a trace directory, which may have runs already. Raises CaptureError."""
    place = TraceDirectory(directory)
    continued = ["--continue"] if (directory / DATABASE).is_file() else []
    before = set(list_documents(place))
    options = ["trace", "-q", "-d", os.fspath(directory), *continued, *said.options, "--"]
    status = run_rtrace([*options, *words], **{CAPTURED: "1"})
    new = set(list_documents(place)) - before
    record = next((record for record in read_from_trace(place) if record["run_name"] in new), None)
    if record is None:
        raise CaptureError(
            f"{os.fsdecode(words[0])} was not traced (exit status {status}); standard error has the reason"
        )
    return Run(record["id"], directory.absolute())
