"""The reports of a replay's processes to the caller: records of eight bytes in a pipe, some after a text."""

from __future__ import annotations

import errno
import os
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, TargetError
from rtrace.printable import printable
from rtrace.replay.protocol import Outcome
from rtrace_unpackers.isolation.planning.isolation_plan import Isolation, Program
from rtrace_unpackers.isolation.planning.steps import Stage
from rtrace_unpackers.isolation.running.refusal import explain_refusal

RECORD = struct.Struct("=iI")
TEXT = -1


@dataclass(frozen=True, slots=True)
class Record:
    """One report: a stage and its errno, or the end and its wait status."""

    stage: Stage
    value: int
    doing: str = ""


def write_record(report: int, stage: Stage, value: int, doing: str = "") -> None:
    """Write a record in one write, which no other writer can split; ``doing`` follows "cannot"."""
    text = doing.encode("utf-8", "surrogateescape")[:1000]
    os.write(report, (RECORD.pack(TEXT, len(text)) + text if text else b"") + RECORD.pack(stage, value))


class RecordReader:
    """Cuts what was read from the pipe into records."""

    def __init__(self) -> None:
        self.rest = b""
        self.doing = ""

    def feed(self, part: bytes) -> Iterator[Record]:
        """Take what was read, and yield the records that are whole by now."""
        self.rest += part
        while len(self.rest) >= RECORD.size:
            kind, value = RECORD.unpack_from(self.rest)
            if kind == TEXT:
                end = RECORD.size + value
                if len(self.rest) < end:
                    return
                self.doing = self.rest[RECORD.size : end].decode("utf-8", "surrogateescape")
                self.rest = self.rest[end:]
                continue
            self.rest = self.rest[RECORD.size :]
            yield Record(Stage(kind), value, self.doing)
            self.doing = ""


def judge(records: list[Record], isolation: Isolation, run: str) -> Outcome:
    """Return the outcome that the records report. Raises the first error in them: it caused the others."""
    for record in records:
        if record.stage is Stage.ENDED:
            if os.WIFSIGNALED(record.value):
                return Outcome(run, None, os.WTERMSIG(record.value))
            return Outcome(run, os.WEXITSTATUS(record.value), None)
        if record.stage is not Stage.STOPPED:
            raise explain(record, isolation, run)
    return Outcome(run, None, signal.SIGKILL)


def explain(
    record: Record, isolation: Isolation, run: str
) -> TargetError | CommandNotFoundError | CommandNotExecutableError:
    """Return the error for a step that failed."""
    program, number, reason = isolation.program, record.value, os.strerror(record.value)
    match record.stage:
        case Stage.SETUP if number not in {errno.EPERM, errno.EACCES}:
            return TargetError(f"cannot {record.doing}: {reason}")
        case Stage.NAMESPACES | Stage.SETUP:
            return TargetError(explain_refusal(number, record.doing, as_root=isolation.access.as_root))
        case Stage.WORKINGDIR:
            return TargetError(
                f"cannot enter the working directory {printable(program.workingdir)} of {run}: {reason}; "
                f"{why_not_inside(number)}"
            )
        case Stage.STDIN if program.stdin is not None:
            return TargetError(
                f"cannot open {printable(program.stdin.path)}, the standard input of {run}: {reason}; "
                f"{why_not_inside(number)}"
            )
        case Stage.DESCRIPTOR:
            paths = ", ".join(printable(one.path) for one in program.descriptors if one.path is not None)
            return TargetError(
                f"cannot open one of the files that {run} was given by descriptor ({paths}): {reason}; "
                f"{why_not_inside(number)}"
            )
        case Stage.EXECUTE:
            return explain_execution(program, number, run)
    return TargetError(f"cannot start {run}: {reason} ({record.stage.name.lower()})")


def explain_execution(program: Program, number: int, run: str) -> CommandNotFoundError | CommandNotExecutableError:
    """Return the error for a program that cannot be executed."""
    failed = f"cannot execute {printable(program.binary)} of {run}: {os.strerror(number)}"
    if number in {errno.ENOENT, errno.ENOTDIR}:
        return CommandNotFoundError(f"{failed}; the bundle lacks it, or the interpreter that it names")
    if number in {errno.ELOOP, errno.EXDEV}:
        return CommandNotExecutableError(f"{failed}; {why_not_inside(number)}")
    return CommandNotExecutableError(failed)


def why_not_inside(number: int) -> str:
    """Return why a path is not opened."""
    if number in {errno.ELOOP, errno.EXDEV}:
        return "it has to be a file of the bundle, and leads to a process or a device"
    if number in {errno.EACCES, errno.EPERM}:
        return "the recorded user may not, with the modes and owners in the bundle"
    return "the bundle does not hold it"
