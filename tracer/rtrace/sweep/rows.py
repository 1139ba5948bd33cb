"""A row of a sweep: what came of one combination. It is kept as a small JSON document, written whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, TypeVar, get_args

from rtrace.sweep.numbers import Number

ROW_FORMAT = 1
LONGEST_ROW = 16 << 20
"""The most bytes that are read of a row."""

Checked = TypeVar("Checked")
State: TypeAlias = Literal["done", "failed", "incomplete", "limit", "killed", "error", "lost", "interrupted"]
"""How a replay ended.

``done`` is exit status 0 with all outputs there, ``incomplete`` is 0 without one of them, ``failed`` another status,
``killed`` by a signal of its own, ``limit`` by a limit, such as its time. ``error``: rtrace could not replay it.
``lost``: the process of rtrace that replayed it was killed, or its job. ``interrupted``: it was not replayed.
"""
FINAL: frozenset[State] = frozenset({"done", "failed", "incomplete", "limit", "killed"})
"""What the program itself came to: it would do so again, and is not replayed again."""

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Made:
    """An output that was fetched: its name, its file below the combination's folder, size in bytes and SHA-256."""

    name: str
    file: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a combination.

    ``key`` is a digest of all that decides what is replayed. ``started`` and ``finished`` are seconds since 1970 around
    the runs alone, and ``seconds`` what these took by a steady clock; ``memory`` is the most that one process
    had in memory, in bytes, None where that is not known. ``limits`` says which ones were
    set. ``stdout`` and ``stderr`` are sizes in bytes.
    """

    key: str
    state: State
    exit_status: int | None = None
    signal: int | None = None
    limit: str | None = None
    unpacker: str | None = None
    started: float | None = None
    finished: float | None = None
    seconds: float | None = None
    memory: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    stdout_sha256: str | None = None
    outputs: tuple[Made, ...] = ()
    missing: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    notes: tuple[str, ...] = ()
    limits: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the program succeeded and left all its outputs."""
        return self.state == "done"


def write_row(row: Row) -> str:
    """Return a row as JSON."""
    return json.dumps({"format": ROW_FORMAT, **asdict(row)}, indent=2) + "\n"


def read_row(text: str) -> Row | None:
    """Return a row, or None for what is none: of another rtrace, cut off, or made by somebody else."""
    try:
        content = json.loads(text)
        return _read(content) if content.pop("format") == ROW_FORMAT else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _read(content: dict[str, Any]) -> Row:
    outputs = tuple(_checked(Made(**one), _MADE) for one in content.pop("outputs"))
    numbers = tuple(_checked(Number(**one), _NUMBER) for one in content.pop("numbers"))
    missing, notes = tuple(content.pop("missing")), tuple(content.pop("notes"))
    if not all(isinstance(text, str) for text in (*missing, *notes)):
        raise TypeError
    row = _checked(Row(**content, missing=missing, notes=notes, outputs=outputs, numbers=numbers), _ROW)
    if row.state not in get_args(State) or not _DIGEST.match(row.key):
        raise ValueError(row.state)
    return row


_NUMBER = {"source": str, "label": str, "text": str}
_MADE = {"name": str, "file": str, "size": int, "sha256": str}
_ROW = {
    **dict.fromkeys(("key", "state", "limits"), str),
    **dict.fromkeys(("exit_status", "signal", "memory", "stdout", "stderr"), int | None),
    **dict.fromkeys(("started", "finished", "seconds"), float | int | None),
    **dict.fromkeys(("limit", "unpacker", "stdout_sha256"), str | None),
}


def _checked(value: Checked, types: Mapping[str, Any]) -> Checked:
    for name, kind in types.items():
        one = getattr(value, name)
        if not isinstance(one, kind) or isinstance(one, bool):
            raise TypeError(name)
    return value
