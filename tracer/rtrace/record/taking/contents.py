"""The content of files as a run found or left it: where it is now, its digests, how it begins."""

import os
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.reading import open_content, read_parts
from rtrace.path_text import to_text
from rtrace.printable import printable
from rtrace.record.facts.media import HEAD, media_type

if TYPE_CHECKING:
    from rtrace.record.document import FileFact

MOST_BYTES = 4 << 30
"""How much is read for the digests of one record; what is beyond that has none, and the record says so."""
_FOR_THREADS = 16 << 20
_MOST_THREADS = 8


class Content(NamedTuple):
    """Where a content is, and what it must be like to be that: None is not compared. ``problem``: it is nowhere.

    ``sha256`` is its digest where that is known already, and it is not digested again.
    """

    path: bytes
    source: bytes
    size: int | None
    mtime_ns: int | None
    inode: int | None
    problem: str | None = None
    sha256: str | None = None


def describe_contents(contents: Sequence[Content], *, with_md5: bool, most: int = MOST_BYTES) -> "list[FileFact]":
    """Return the facts of files, each with its digest or why it has none; large ones are read by several threads."""
    budget, total = most, 0
    jobs: list[tuple[Content, str | None]] = []
    for content in contents:
        size = content.size or 0
        problem = content.problem
        if problem is None and size > budget:
            problem = f"it is larger than what is left of the {most >> 20} MiB that are read for one record"
        if problem is None:
            budget -= size
            total += size
        jobs.append((content, problem))
    if total < _FOR_THREADS or len(jobs) == 1:
        return [_describe(*job, with_md5=with_md5) for job in jobs]
    import threading

    facts: dict[int, FileFact] = {}
    waiting = iter(sorted(range(len(jobs)), key=lambda number: -(jobs[number][0].size or 0)))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(waiting, None)
            if number is None:
                return
            facts[number] = _describe(*jobs[number], with_md5=with_md5)

    threads = [threading.Thread(target=work) for _ in range(min(_MOST_THREADS, os.cpu_count() or 1, len(jobs)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [facts[number] for number in range(len(jobs))]


def read_content(content: Content, most: int) -> bytes | None:
    """Return a content of no more than so many bytes; None where it is larger, or not there any more."""
    if content.problem is not None or (content.size or 0) > most:
        return None
    try:
        descriptor, status = _open(content)
        with open(descriptor, "rb", buffering=0) as file:
            data = file.read(min(status.st_size, most) + 1)
    except OSError:  # gone, changed or not to be read: its fact says so
        return None
    return data if len(data) <= most else None


def hash_program(path: bytes, most: int) -> str | None:
    """Return the SHA-256 of a file of no more than so many bytes; None where it cannot be read."""
    import hashlib

    try:
        descriptor, status = _open_regular(path)
        try:
            if status.st_size > most:
                return None
            digest = hashlib.sha256()
            for data in read_parts(descriptor, status.st_size):
                digest.update(data)
            return digest.hexdigest()
        finally:
            os.close(descriptor)
    except OSError:  # the fact has no digest then
        return None


def _describe(content: Content, problem: str | None, *, with_md5: bool) -> "FileFact":
    sha256 = md5 = kind = None
    if problem is None:
        try:
            sha256, md5, kind = _hash(content, with_md5=with_md5)
        except OSError as error:
            problem = f"{printable(content.path)} {error.strerror or 'cannot be read'}".strip()
    return {
        "path": to_text(content.path),
        "size": content.size,
        "sha256": sha256,
        "md5": md5,
        "stamped": [],
        "media_type": kind or media_type(content.path, b""),
        "modified": None,
        "problem": problem,
    }


def _hash(content: Content, *, with_md5: bool) -> tuple[str | None, str | None, str | None]:
    """Return SHA-256, MD5 and media type. Raises OSError, also for what is not that content any more."""
    import hashlib

    sha256 = hashlib.sha256() if content.sha256 is None else None
    md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
    wanted = [digest for digest in (sha256, md5) if digest is not None]
    head = b""
    descriptor, status = _open(content)
    try:
        for data in read_parts(descriptor, status.st_size):
            head = head or data[:HEAD]
            if not wanted:
                break
            for digest in wanted:
                digest.update(data)
        _refuse_changed(content, os.fstat(descriptor))
    finally:
        os.close(descriptor)
    return (
        content.sha256 if sha256 is None else sha256.hexdigest(),
        None if md5 is None else md5.hexdigest(),
        media_type(content.path, head) if head else None,
    )


def _open(content: Content) -> tuple[int, os.stat_result]:
    descriptor, status = _open_regular(content.source)
    try:
        _refuse_changed(content, status)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, status


def _open_regular(path: bytes) -> tuple[int, os.stat_result]:
    """Open a regular file, and return its state; nothing else is waited for. Raises OSError."""
    descriptor = open_content(path)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(0, "is no file any more")
    return descriptor, status


def _refuse_changed(content: Content, status: os.stat_result) -> None:
    """Raise OSError where a file is not what the trace says it was."""
    if content.size not in {None, status.st_size} or content.mtime_ns not in {None, status.st_mtime_ns}:
        raise OSError(0, "has changed since")
