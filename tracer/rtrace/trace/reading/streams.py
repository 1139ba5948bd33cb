"""What the runs found at their descriptors, and what they wrote there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.model import LARGEST_DESCRIPTOR, Descriptor, Input, Output

if TYPE_CHECKING:
    import sqlite3

_WRITTEN = frozenset({"terminal", "pipe", "file", "socket"})
"""Kinds of streams whose output somebody received."""
_STANDARD_ERROR = 2


def read_streams(connection: sqlite3.Connection) -> tuple[dict[int, Input], dict[tuple[int, int], Output]]:
    """Return the files that were standard input, by run number; and by run number and descriptor what was written.

    What was written and not kept is among the latter without size and digest: it cannot be judged.
    """
    inputs: dict[int, Input] = {}
    outputs: dict[tuple[int, int], Output] = {}
    rows = connection.execute(
        'SELECT run, descriptor, kind, path, "begin", size, sha256, rows, columns, cut, joined FROM streams'
    )
    for run, descriptor, kind, path, begin, size, sha256, height, width, cut, joined in rows:
        if descriptor == 0:
            if path is not None and kind != "null":
                inputs[run] = Input(path, begin or 0, pipe=kind == "pipe")
        elif kind in _WRITTEN or sha256 is not None or (joined and (run, 1) in outputs):
            window = None if height is None else (height, width)
            shown = "pipe" if kind == "socket" else kind  # a replay of it gets one
            outputs[run, descriptor] = Output(shown, size, sha256, window, bool(cut), bool(joined))
    return inputs, outputs


def read_descriptors(connection: sqlite3.Connection) -> dict[int, list[Descriptor]]:
    """Return, by run number, what the runs found at their descriptors besides standard streams that lead somewhere."""
    found: dict[int, list[Descriptor]] = {}
    columns = {row[1] for row in connection.execute("PRAGMA table_info(streams)")}
    access = "access" if "access" in columns else "'read'"  # traces of older versions have standard streams alone
    rows = connection.execute(
        f'SELECT run, descriptor, kind, path, "begin", joined, {access} FROM streams ORDER BY run, descriptor'  # noqa: S608
    )
    for run, number, kind, path, begin, joined, how in rows:
        descriptor = _find_descriptor(number, kind, path, begin or 0, joined, how)
        if descriptor is not None and number <= LARGEST_DESCRIPTOR:
            found.setdefault(run, []).append(descriptor)
    return found


def _find_descriptor(
    number: int, kind: str, path: bytes | None, offset: int, joined: int, access: str
) -> Descriptor | None:
    """Return what a row says of a descriptor; None for a standard stream that leads somewhere."""
    if number <= _STANDARD_ERROR:
        if kind == "closed":
            return Descriptor(number, "closed")
        unkept = number == 0 and path is None and kind not in {"terminal", "null"}
        return Descriptor(number, "null") if unkept else None
    if joined:
        return Descriptor(number, "same", same=joined - 1)
    if path is None:
        return Descriptor(number, "null")
    return Descriptor(number, "pipe" if kind == "pipe" else "file", path, offset, access)
