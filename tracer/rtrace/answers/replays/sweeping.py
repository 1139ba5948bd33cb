"""What `replay --sweep` answers."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.answers.words import Bytes, Identity, Path, Seconds, write_identity
from rtrace.printable import printable, printable_text
from rtrace.sweep.rows import State

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from rtrace.operations.sweeping.plan import Sweep
    from rtrace.operations.sweeping.sweep import Swept
    from rtrace.sweep.combinations import Combination
    from rtrace.sweep.rows import Row


class ParameterAnswer(TypedDict):
    """One thing that was changed, and its value in a combination."""

    kind: Annotated[str, "env, arg or input"]
    name: str
    value: str


class NumberAnswer(TypedDict):
    """A number that was found in an output."""

    source: Annotated[str, "the name of the output, or stdout"]
    label: str
    text: Annotated[str, "as it is written there"]
    value: Annotated[float | None, "null where it is too large"]


class SweptOutputAnswer(TypedDict):
    """An output that was fetched."""

    name: str
    file: Annotated[Path, "below the folder of the combination"]
    size: Bytes
    sha256: str


class CombinationRowAnswer(TypedDict):
    """What came of one combination."""

    folder: Annotated[Path, "below the folder of the sweep; below rows/ there, stdout and stderr"]
    parameters: list[ParameterAnswer]
    state: Annotated[State, "only done is good; of error, lost and interrupted the same command tries again"]
    exit_status: Annotated[int | None, "as a shell shows it: 128+N when signal N ended it"]
    limit: Annotated[str | None, "the limit that ended it"]
    unpacker: str | None
    started: Annotated[float | None, "when the first run began, in seconds since 1970"]
    finished: Annotated[float | None, "when the last run ended, in seconds since 1970"]
    seconds: Annotated[Seconds | None, "what the runs took"]
    memory: Annotated[Bytes | None, "the most that one process had; null where its unpacker cannot tell"]
    stdout: Bytes | None
    stderr: Bytes | None
    outputs: list[SweptOutputAnswer]
    missing: Annotated[list[str], "outputs that no run has made"]
    numbers: list[NumberAnswer]
    notes: Annotated[list[str], "what there is to know, a sentence each"]


class SweepAnswer(TypedDict):
    """A sweep: a row for each combination, in their order."""

    bundle: Identity
    folder: Path
    interrupted: Annotated[bool, "whether a signal ended it before all were replayed"]
    replayed_before: Annotated[int, "how many rows an earlier call had made"]
    combinations: list[CombinationRowAnswer]


def answer_sweep(sweep: Sweep, folder: FilePath, swept: Swept) -> SweepAnswer:
    """Return what a sweep answers."""
    return {
        "bundle": write_identity(sweep.identity),
        "folder": printable(os.fsencode(folder)),
        "interrupted": swept.interrupted is not None,
        "replayed_before": swept.before,
        "combinations": [answer_row(sweep, line.combination, line.row) for line in swept.lines],
    }


def answer_row(sweep: Sweep, combination: Combination, row: Row) -> CombinationRowAnswer:
    """Return what came of a combination."""
    pairs = zip(sweep.axes, combination.values, strict=True)
    return {
        "folder": combination.name,
        "parameters": [
            {"kind": axis.kind, "name": printable_text(axis.name), "value": printable_text(value)}
            for axis, value in pairs
        ],
        "state": row.state,
        "exit_status": row.exit_status,
        "limit": row.limit,
        "unpacker": row.unpacker,
        "started": row.started,
        "finished": row.finished,
        "seconds": row.seconds,
        "memory": row.memory,
        "stdout": row.stdout,
        "stderr": row.stderr,
        "outputs": [
            {
                "name": printable_text(one.name),
                "file": printable_text(one.file),
                "size": one.size,
                "sha256": one.sha256,
            }
            for one in row.outputs
        ],
        "missing": [printable_text(name) for name in row.missing],
        "numbers": [
            {
                "source": printable_text(one.source),
                "label": printable_text(one.label),
                "text": one.text,
                "value": read_number(one.text),
            }
            for one in row.numbers
        ],
        "notes": [printable_text(note) for note in row.notes],
    }


def read_number(text: str) -> float | None:
    """Return the number that a text is, None where it is larger than any that JSON's readers know."""
    value = float(text)
    return value if math.isfinite(value) else None
