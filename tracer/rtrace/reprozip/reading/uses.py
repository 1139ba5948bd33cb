"""What the trace of a bundle of ReproZip adds: how runs ended, why files are there, and where the runs wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.files.hierarchy import BELOW, PROVIDED
from rtrace.reprozip.reading.trace_database import AccessMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtrace.manifest.model import Run
    from rtrace.reprozip.reading.config import Config
    from rtrace.reprozip.reading.trace_database import TracedUses

    FindPlace = Callable[[bytes], bytes | None]
    """Where a path of the trace lies in the bundle; None for one that can lie nowhere."""

_REASONS = (
    (AccessMode.EXECUTED, "executed"),
    (AccessMode.READ | AccessMode.WRITE, "read and written"),
    (AccessMode.WRITE, "written"),
    (AccessMode.READ, "read"),
    (AccessMode.WORKING_DIRECTORY, "working directory"),
    (AccessMode.STAT, "looked up"),
)


def add_exit(run: Run, number: int, traced: TracedUses | None) -> Run:
    """Add how a run ended, where only the trace tells."""
    if run.exit_status is not None or traced is None or number not in traced.exits:
        return run
    exit_code, signal = traced.exits[number]
    return replace(run, exit_code=exit_code, signal=signal)


def _with_reason(entry: Entry, use: int) -> Entry:
    """Add why an entry is there, as far as the trace tells."""
    if entry.reason:
        return entry
    reason = next((reason for modes, reason in _REASONS if use & modes == modes), "")
    if not reason:
        reason = {FileType.DIRECTORY: "ancestor", FileType.SYMLINK: "symlink on the way"}.get(entry.type, "")
    return entry._replace(reason=reason)


def add_reasons(entries: Iterable[Entry], traced: TracedUses, place_of: FindPlace) -> tuple[Entry, ...]:
    """Return entries with the reason why each is there."""
    uses: dict[bytes, int] = {}
    for (_, path), mode in traced.uses.items():
        place = place_of(path)
        if place is not None:
            uses[place] = uses.get(place, 0) | mode
    return tuple(_with_reason(entry, uses.get(entry.path, 0)) for entry in entries)


def find_results(config: Config, traced: TracedUses | None, place_of: FindPlace) -> tuple[Result, ...]:
    """Return where the runs wrote, sorted by run and path; what they wrote there, nobody knows."""
    names = {run.id: number for number, run in enumerate(config.runs)}
    written = {(names[run], path): False for file in config.outputs for run in file.runs for path in [file.path]}
    for (run, path), mode in (traced.uses if traced else {}).items():
        if mode & AccessMode.WRITE and not mode & AccessMode.SOCKET:
            written[run, path] = bool(mode & AccessMode.DIRECTORY)
    found: dict[tuple[int, bytes], Result] = {}
    for (run, path), is_directory in written.items():
        place = place_of(path)
        if place is not None and place not in PROVIDED and not place.startswith(BELOW):
            kind = FileType.DIRECTORY if is_directory else FileType.REGULAR
            found[run, place] = Result(config.runs[run].id, place, kind, vague=True)
    return tuple(result for _, result in sorted(found.items(), key=lambda item: item[0]))
