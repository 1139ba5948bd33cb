"""The standard streams of a run: what they were, and the beginning and the end of their text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.path_text import to_bytes, to_text
from rtrace.record.taking.processes import SPARE
from rtrace.trace.schema import KEPT_INPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.record.document import StreamFact
    from rtrace.record.taking.evidence import Evidence
    from rtrace.trace.reading.one_run import TracedStream

MOST_TEXT = 64 << 10
"""Bytes of a stream that a record has: half of them from its beginning, half from its end."""
_ERROR = 2


def describe_stream(evidence: Evidence, descriptor: int, redact: Callable[[str], str]) -> StreamFact | None:
    """Return what is known of a standard stream; None where the trace says nothing of it.

    ``redact`` returns a text without its secrets: it gets more than is kept, so that no half of one is left.
    """
    stream = evidence.streams.get(descriptor)
    if stream is None:
        return None
    if descriptor == _ERROR and stream.joined:  # what went through it is with standard output
        return _make(stream, None, cut=False)
    source, begin, size = _locate(evidence, stream)
    if source is None or size is None:
        return _make(stream, None, cut=False)
    try:
        text, cut = _read(source, begin, size, redact)
    except OSError:  # gone meanwhile: the record has its digest all the same
        return _make(stream, None, cut=True)
    return _make(stream, text, cut=cut or size < (stream.size or 0))


def _locate(evidence: Evidence, stream: TracedStream) -> tuple[bytes | None, int, int | None]:
    """Return the file that holds what went through a stream, from where on, and how many bytes of it."""
    if stream.file is not None:
        return os.fsencode(evidence.directory.streams / stream.file), 0, stream.kept
    if stream.path is not None and stream.path.startswith(KEPT_INPUT + b"/"):
        file = evidence.found.get(stream.path)
        if file is None or file.snapshot is None:
            return None, 0, None
        return os.fsencode(evidence.directory.snapshots / file.snapshot), 0, file.size
    if stream.descriptor and stream.kind == "file" and stream.end is not None:
        return stream.path, stream.begin, stream.end - stream.begin
    return None, 0, None  # an input file is among the inputs


def _read(source: bytes, begin: int, size: int, redact: Callable[[str], str]) -> tuple[str, bool]:
    """Return the beginning and the end of a part of a file, and whether something between them is left out."""
    descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if size <= MOST_TEXT:
            return redact(to_text(os.pread(descriptor, size, begin))), False
        half = MOST_TEXT // 2
        wide = half + SPARE
        head = to_bytes(redact(to_text(os.pread(descriptor, wide, begin))))
        tail = to_bytes(redact(to_text(os.pread(descriptor, wide, begin + size - wide))))
        head = head[: max(min(half, len(head) - SPARE), 0)]  # shorter where much was taken out
        tail = tail[max(len(tail) - half, SPARE) :]
        return to_text(head + b"\n[... %d bytes ...]\n" % (size - 2 * half) + tail), True
    finally:
        os.close(descriptor)


def _make(stream: TracedStream, text: str | None, *, cut: bool) -> StreamFact:
    path = stream.path
    hidden = path is None or path.startswith(KEPT_INPUT + b"/")
    return {
        "kind": stream.kind,
        "path": None if hidden or path is None else to_text(path),
        "size": stream.size,
        "sha256": stream.sha256,
        "text": text,
        "cut": cut,
    }
