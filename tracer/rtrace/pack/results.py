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
    from collections.abc import Iterator

    from rtrace.pack.plan import PackingPlan
    from rtrace.trace.reading.reader import After, Copy


def finish_results(plan: PackingPlan, progress: Progress = SILENT) -> Iterator[Result]:
    """Yield the results of a plan in their order, and report the bytes of those that are hashed.

    A digest is None if the file has changed since and no snapshot of a later run has it.
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
                sha256 = _find_digest(after, copies.get(after.path, []), os.fsencode(plan.directory.snapshots))
                progress.advance(size)
        elif kind is FileType.SYMLINK:
            target = after.target
        yield Result(run, after.path, kind, after.mode or 0, size, sha256, target)
    progress.finish()


def needs_digest(after: After) -> bool:
    """Whether tracing left it to packing to hash a file."""
    return after.type == FileType.REGULAR.value and not after.sha256


def _find_digest(after: After, copies: list[Copy], snapshots: bytes) -> str | None:
    """Hash a file in its place if it is still the same, else the copy that a later run made of it."""
    here = _hash(after.path, after)
    if here is not None:
        return here
    for copy in copies:
        if copy.run > after.run and copy[2:5] == (after.size, after.mtime_ns, after.inode):
            return _hash(os.path.join(snapshots, os.fsencode(copy.file)), None)
    return None


def _hash(path: bytes, after: After | None) -> str | None:
    """Return the digest of a file; None if it cannot be read, or is not as a run left it."""
    try:
        descriptor = open_content(path)
    except OSError:  # it is gone or cannot be read
        return None
    with os.fdopen(descriptor, "rb", buffering=0):
        state = os.fstat(descriptor)
        if after is not None and (state.st_size, keep_time(state.st_mtime_ns), keep_inode(state.st_ino)) != (
            after.size,
            after.mtime_ns,
            after.inode,
        ):
            return None
        digest = hashlib.sha256()
        try:
            for content in read_parts(descriptor):
                digest.update(content)
        except OSError:  # the disk has an error there
            return None
    return digest.hexdigest()
