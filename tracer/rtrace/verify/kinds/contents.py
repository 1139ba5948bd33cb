"""What every kind does with the bytes of contents: looks at their beginning, finds where they part, copies them."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PART = 1 << 20


def peek(file: BinaryIO, size: int) -> bytes:
    """Return the first bytes of a file that is at its beginning, and stays there."""
    head = file.read(size)
    file.seek(0)
    return head


def find_difference(one: Sequence[object], other: Sequence[object]) -> int:
    """Return where two unequal sequences begin to differ: where one begins with the other, at its end."""
    same = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    return min(len(one), len(other)) if same is None else same


def are_same(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether two files have the same bytes; both are at their beginning, before and afterwards."""
    try:
        while True:
            parts = one.read(PART), other.read(PART)
            if parts[0] != parts[1]:
                return False
            if not parts[0]:
                return True
    finally:
        one.seek(0)
        other.seek(0)


def copy_to(file: BinaryIO, path: Path) -> None:
    """Write all of a file to a path, for a library that wants one."""
    with path.open("wb") as copy:
        while part := file.read(PART):
            copy.write(part)
