"""What the first run left, copied before its command writes there again, to be compared as what it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.files.reading import open_at_once
from rtrace.files.workspaces import temporary
from rtrace.path_text import to_bytes
from rtrace.verify.judging.apart import Apart
from rtrace.verify.kinds.model import Rule
from rtrace.verify.substance import tell
from rtrace.verify.verdicts import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.document import FileFact, Record

_LARGEST = 256 << 20
"""Bytes of an output that is copied."""
_ROOM, _MOST = 1 << 30, 4096
"""Bytes of all copies, and how many there are."""
_PART = 1 << 20


class Firsts:
    """The copies, by the paths of the outputs."""

    def __init__(self, apart: Apart, copies: dict[str, Path]) -> None:
        self._apart = apart
        self._copies = copies

    def judge(self, file: FileFact, detail: str) -> Line | None:
        """Compare an output whose bytes are not those of the first one; None where one of them is not there.

        ``detail`` is what is known of it.
        """
        copy, found = self._copies.get(file["path"]), to_bytes(file["path"])
        if copy is None or not os.path.isfile(found):
            return None
        judgement = self._apart.judge(copy, Path(os.fsdecode(found)), Rule(), found.rpartition(b"/")[2])
        return tell(Line("different", "", found, detail), judgement)


@contextlib.contextmanager
def keeping_firsts(record: Record) -> Iterator[Firsts]:
    """Copy those outputs of a run that are still as it left them, and yield the copies, which are gone afterwards."""
    with temporary("compare") as folder, Apart() as apart:
        yield Firsts(apart, dict(_copy_outputs(record, folder)))


def _copy_outputs(record: Record, folder: Path) -> Iterator[tuple[str, Path]]:
    room = _ROOM
    for number, file in enumerate(record["outputs"][:_MOST]):
        size, copy = file["size"], folder / str(number)
        if file["sha256"] is None or size is None or size > min(room, _LARGEST):
            continue
        try:
            is_whole = _copy(to_bytes(file["path"]), copy, size) == file["sha256"]
        except OSError:  # it is gone, or the disk is full: then only its digest is compared
            is_whole = False
        if is_whole:
            room -= size
            yield file["path"], copy
        else:
            copy.unlink(missing_ok=True)


def _copy(path: bytes, copy: Path, size: int) -> str | None:
    """Copy a regular file of a size, and return its SHA-256; None where it is another. Raises OSError."""
    digest = hashlib.sha256()
    with open(path, "rb", opener=open_at_once) as source, copy.open("wb") as target:
        status = os.fstat(source.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            return None
        while part := source.read(_PART):
            digest.update(part)
            target.write(part)
    return digest.hexdigest()
