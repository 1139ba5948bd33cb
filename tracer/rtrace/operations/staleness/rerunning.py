"""`rtrace rerun`: runs of a trace are run again as they were recorded, in their order, into a trace of their own."""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import UsageError
from rtrace.operations.recording.own import is_own
from rtrace.operations.recording.traced import RecordRequest
from rtrace.operations.staleness.status import open_trace
from rtrace.printable import printable, printable_text
from rtrace.record.taking.said import Said
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.reading.reader import read_runs

if TYPE_CHECKING:
    from rtrace.manifest.model import Run
    from rtrace.record.document import Record

DEFAULT = ".rtrace-rerun"


@dataclass(frozen=True, slots=True)
class Again:
    """A run that is run again: as the trace has it, and its record, None where there is none."""

    name: str
    run: Run
    record: Record | None


@dataclass(frozen=True, slots=True)
class Rerun:
    """How a run ended, and how it had ended: exit statuses as a shell shows them; None where its end was not seen."""

    run: str
    status: int
    was: int | None

    @property
    def as_recorded(self) -> bool:
        """Whether it ended as it had."""
        return self.status == self.was


def plan_rerun(place: Path, chosen: Collection[str]) -> tuple[Again, ...]:
    """Return the chosen runs of a trace and all that need them, in their order.

    Raises UsageError for a name that is not there, TraceError, ManifestError and BusyError.
    """
    with open_trace(place) as subject:
        unknown = [name for name in chosen if name not in subject.names.values()]
        if unknown:
            there = ", ".join(map(printable_text, subject.names.values())) or "none"
            raise UsageError(f"there is no run {printable_text(unknown[0])} in the trace of {place}; there is {there}")
        records = subject.read_records()
        traced = dict(zip(sorted(_read_numbers(subject.connection)), read_runs(subject.connection), strict=True))
        wanted: set[int] = set()
        for number, name in subject.names.items():
            if name in chosen or wanted.intersection(subject.needs.get(number, ())):
                wanted.add(number)
        return tuple(
            Again(name, traced[number], records.get(traced[number].id))
            for number, name in subject.names.items()
            if number in wanted
        )


def _read_numbers(connection: sqlite3.Connection) -> Iterable[int]:
    return [number for (number,) in connection.execute("SELECT id FROM runs")]


def refuse_foreign(runs: Iterable[Again]) -> None:
    """Raise UsageError where a run was not recorded here by this user: it may run anything. It is shown."""
    for one in runs:
        if one.record is None or not is_own(one.record):
            command = " ".join(shlex.quote(printable(word)) for word in one.run.argv)
            raise UsageError(
                f"{printable_text(one.name)} was not recorded here by you; it would run `{command[:2000]}` in "
                f"{printable(one.run.workingdir)}; if you want that, add --yes"
            )


def rerun(runs: Sequence[Again], directory: Path, tell: Callable[[str], None]) -> list[Rerun]:
    """Run them again and trace them into a new directory, under their names; return how each ended.

    With the first that does not end as it did, no other is started: they may need what it writes. Each has the words,
    the folder and the environment that were recorded, and reads the files that are there now; a file that was standard
    input is given again. Raises UsageError, and what `trace_into` raises.
    """
    from rtrace.operations.trace import TraceRequest, trace_into

    place = TraceDirectory(directory.absolute())
    done: list[Rerun] = []
    for one in runs:
        run = one.run
        try:
            os.chdir(run.workingdir)
        except OSError as error:
            raise UsageError(
                f"cannot run in {printable(run.workingdir)}: {error.strerror}; use `rtrace replay`"
            ) from None
        give_input(one, tell)
        environ = tuple(name if value is None else name + b"=" + value for name, value in run.environ)
        said = Said(reason=f"runs {one.name} again")
        request = TraceRequest(
            run.argv, continued=bool(done), environ=environ, name=one.name, record=RecordRequest(said)
        )
        report = trace_into(
            place,
            request,
            on_waiting=lambda programs: tell(f"the command has ended; waiting for {', '.join(programs)}"),
            on_loss=lambda what, advice: tell(f"{what}; {advice}"),
        )
        if report.problem:
            tell(report.problem)
        done.append(Rerun(one.name, report.traced.exit_status, run.exit_status))
        if not done[-1].as_recorded:
            break
    return done


def give_input(one: Again, tell: Callable[[str], None]) -> None:
    """Make standard input the file that it was; where it was a pipe, say that it is the present one.

    Raises UsageError for a file that cannot be opened.
    """
    stdin = one.run.stdin
    if stdin is None:
        return
    if stdin.pipe:
        tell(f"{printable_text(one.name)} read from a pipe; it reads the present standard input now")
        return
    try:
        descriptor = os.open(stdin.path, os.O_RDONLY)
        os.lseek(descriptor, stdin.offset, os.SEEK_SET)
    except OSError as error:
        raise UsageError(f"cannot give {printable(stdin.path)} as standard input: {error.strerror}") from None
    os.dup2(descriptor, 0)
    os.close(descriptor)
