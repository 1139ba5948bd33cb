"""The inputs and outputs of a run: files of a person's, as the run found and as it left them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.describe.internals import Internals
from rtrace.describe.program_files import is_program
from rtrace.path_text import to_bytes
from rtrace.record.taking.contents import Content, describe_contents
from rtrace.record.times import write_time
from rtrace.trace.schema import KEPT_INPUT, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtrace.record.document import FileFact
    from rtrace.record.facts.version_control.earlier import Stamp
    from rtrace.record.taking.evidence import Evidence
    from rtrace.trace.reading.one_run import FoundFile

MOST_FILES = 20_000
"""Inputs, and outputs, that a record lists."""
_USED = int(Use.READ | Use.EXECUTE)
_READ = int(Use.READ)
_CHANGING = int(Use.WRITE | Use.TRUNCATE | Use.CREATE)


def find_inputs(evidence: Evidence) -> list[Content]:
    """Return the files that a run read: data of a person's, no programs, and nothing that the run made itself."""
    return [
        locate(evidence, file)
        for file in evidence.found.values()
        if file.type == "file"
        and file.use & _USED == _READ
        and not file.own
        and not is_program(file.path)
        and not file.path.startswith(KEPT_INPUT + b"/")
        and file.path not in evidence.owners
        and evidence.concern.find_shown(file.path) is not None
    ]


def find_outputs(evidence: Evidence) -> list[Content]:
    """Return the files in which a run left content of its own; not what programs keep for themselves."""
    internals = Internals(evidence.found.keys(), (evidence.run.workingdir,))
    found = []
    for path, after in evidence.left.items():
        before = evidence.found.get(path)
        shown = evidence.concern.find_shown(path)
        if after.type != "file" or shown is None or internals.is_sure(shown):
            continue
        if before is not None and before.type is not None:
            same = (before.size, before.mtime_ns, before.inode) == (after.size, after.mtime_ns, after.inode)
            if same or not before.use & _CHANGING:
                continue
        found.append(Content(path, path, after.size, after.mtime_ns, after.inode, sha256=after.sha256))
    return sorted(found)


def find_earlier(evidence: Evidence, roots: Sequence[bytes]) -> dict[bytes, bytes | Stamp | None]:
    """Return what files below some folders were before the run, of those that have become something else since.

    A copy of each, where the trace has one; else size and time; None for files that the run has made.
    """
    if not roots:
        return {}
    from rtrace.record.facts.version_control.earlier import Stamp

    places = tuple(root.rstrip(b"/") + b"/" for root in roots)
    earlier: dict[bytes, bytes | Stamp | None] = {}
    for path, file in evidence.found.items():
        if not path.startswith(places) or file.type not in {None, "file"}:
            continue
        if file.type is None:
            earlier[path] = None
        elif file.snapshot is not None:
            earlier[path] = os.path.join(os.fsencode(evidence.directory.snapshots), to_bytes(file.snapshot))
        elif file.size is not None and file.mtime_ns is not None:
            was = Stamp(file.size, file.mtime_ns)
            try:
                status = os.lstat(path)
            except OSError:  # ENOENT: gone since
                earlier[path] = was
                continue
            if was != (status.st_size, status.st_mtime_ns):
                earlier[path] = was
    return earlier


def locate(evidence: Evidence, file: FoundFile) -> Content:
    """Return where the content is that a file had before the run."""
    if file.snapshot is not None:
        source = os.path.join(os.fsencode(evidence.directory.snapshots), to_bytes(file.snapshot))
        return Content(file.path, source, file.size, None, None)
    problem = None if file.problem is None else f"the run changed it, and there is no copy: {file.problem}"
    return Content(file.path, file.path, file.size, file.mtime_ns, file.inode, problem)


def describe_files(evidence: Evidence, contents: list[Content], *, outputs: bool) -> list[FileFact]:
    """Return the facts of the first inputs or outputs, sorted by path."""
    facts = describe_contents(sorted(contents)[:MOST_FILES], with_md5=outputs)
    times = _read_times(evidence, outputs=outputs)
    for fact in facts:
        time = times.get(to_bytes(fact["path"]))
        fact["modified"] = None if time is None else _write_nanoseconds(time)
    return facts


def _read_times(evidence: Evidence, *, outputs: bool) -> dict[bytes, int | None]:
    known: Iterable[tuple[bytes, int | None]] = (
        ((path, after.mtime_ns) for path, after in evidence.left.items())
        if outputs
        else ((path, file.mtime_ns) for path, file in evidence.found.items())
    )
    return dict(known)


def _write_nanoseconds(time: int) -> str | None:
    try:
        return write_time(time // 1000)
    except OverflowError:  # a year that no calendar has
        return None
