"""What the runs left behind, as the bundle says it, with the digests that tracing had no time for."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType, Result
from rtrace.bundle.reading.validation import path_problem
from rtrace.files.reading import open_content, read_parts
from rtrace.files.stamps import keep_inode, keep_time
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rtrace.pack.plan import PackingPlan
    from rtrace.trace.reading.reader import After, Copy

NO_DIGESTS: Mapping[tuple[int, bytes], str] = {}


def finish_results(
    plan: PackingPlan, progress: Progress = SILENT, digests: Mapping[tuple[int, bytes], str] = NO_DIGESTS
) -> Iterator[Result]:
    """Yield the results of a plan in their order, and report the bytes of those that are hashed.

    A digest is None if the file has changed since and no snapshot of a later run has it. ``digests`` are those that are
    known meanwhile, by run and path.
    """
    progress.start("hashing", sum(after.size or 0 for after in plan.results if needs_digest(after)))
    copies: dict[bytes, list[Copy]] = {}
    for copy in plan.copies:
        copies.setdefault(copy.path, []).append(copy)
    for after in plan.results:
        if path_problem(after.path) or (after.type == "symlink" and not after.target):
            continue
        run = plan.run_names[after.run]
        if after.type is None:
            yield Result(run, after.path, None)
            continue
        kind = FileType(after.type)
        sha256 = target = None
        size = 0
        if kind is FileType.REGULAR:
            size = after.size or 0
            sha256 = after.sha256
            if needs_digest(after):
                sha256 = digests.get((after.run, after.path)) or _find_digest(
                    after, copies.get(after.path, []), os.fsencode(plan.directory.snapshots)
                )
                progress.advance(size)
        elif kind is FileType.SYMLINK:
            target = after.target
        yield Result(run, after.path, kind, after.mode or 0, size, sha256, target)
    progress.finish()


def needs_digest(after: After) -> bool:
    """Whether tracing left it to packing to hash a file."""
    return after.type == FileType.REGULAR.value and not after.sha256


def open_left(after: After, copies: Iterable[Copy], snapshots: bytes) -> int | None:
    """Open what a run left at a path: the file if it is still the same, else the copy that a later run made of it.

    Returns a descriptor; None where there is neither. ``copies`` are those of this path.
    """
    stamp = (after.size, after.mtime_ns, after.inode)
    descriptor = _open(after.path)
    if descriptor is not None:
        state = os.fstat(descriptor)
        if (state.st_size, keep_time(state.st_mtime_ns), keep_inode(state.st_ino)) == stamp:
            return descriptor
        os.close(descriptor)
    for copy in copies:
        if copy.run > after.run and copy[2:5] == stamp:
            return _open(os.path.join(snapshots, os.fsencode(copy.file)))
    return None


def _open(path: bytes) -> int | None:
    try:
        return open_content(path)
    except OSError:  # it is gone or cannot be read
        return None


def _find_digest(after: After, copies: Iterable[Copy], snapshots: bytes) -> str | None:
    """Hash what a run left at a path; None if it is not there any more, or cannot be read."""
    descriptor = open_left(after, copies, snapshots)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb", buffering=0):
        digest = hashlib.sha256()
        try:
            for content in read_parts(descriptor):
                digest.update(content)
        except OSError:  # the disk has an error there
            return None
    return digest.hexdigest()
