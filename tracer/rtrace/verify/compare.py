"""Compare what a replay left behind with what the original run left: pure functions of both, a line for each thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rtrace.bundle.entry import FileType
from rtrace.files.hierarchy import is_provided
from rtrace.printable import printable
from rtrace.verify.differences import Difference, describe_content
from rtrace.verify.verdicts import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rtrace.bundle.entry import Result
    from rtrace.manifest.model import Output, Run
    from rtrace.replay.protocol import Outcome, Snapshot
    from rtrace.replay.streams import Collected

PERMISSIONS = 0o777
NO_DIGEST = "the bundle does not hold the original's digest"
NOT_RECORDED = "it was not recorded"
NOT_READ = "it cannot be read, or has more bytes of holes than are hashed, so its content was not compared"
WORDS = {
    FileType.REGULAR: "a file",
    FileType.DIRECTORY: "a directory",
    FileType.SYMLINK: "a symbolic link",
    FileType.FIFO: "a FIFO",
}


def compare(run: Run, outcome: Outcome, expected: Iterable[Result], snapshot: Snapshot) -> Iterator[Line]:
    """Compare how a run ended and what it left behind, path by path, with its replay."""
    yield compare_status(run, outcome)
    for result in expected:
        if not is_provided(result.path):
            yield compare_result(result, snapshot.found.get(result.path))


def compare_status(run: Run, outcome: Outcome) -> Line:
    """Compare exit statuses as a shell shows them: Docker tells no more of a program that a signal ended."""
    if outcome.reached is not None:
        detail = outcome.notes[0] if outcome.notes else f"ended by --{outcome.reached}"
        return Line("unknown", run.id, None, detail, reasons=("limit",))
    if run.exit_status is None:
        detail = f"{outcome.exit_status}; the end of the original run was not seen"
        return Line("unknown", run.id, None, detail, reasons=("end not seen",))
    if run.exit_status == outcome.exit_status:
        return Line("same", run.id, None)
    if run.interruption is not None:
        detail = f"{outcome.exit_status}; the original run was {run.interruption}"
        return Line("unknown", run.id, None, detail, reasons=("interrupted",))
    detail = f"{outcome.exit_status}, was {run.exit_status}"
    return Line("different", run.id, None, detail, reasons=("exit status",))


def compare_streams(run: Run, found: Mapping[str, Collected]) -> Iterator[Line]:
    """Compare what a run wrote to standard output and error, as far as it is known of the original."""
    if run.stdout is not None and "stdout" in found:
        yield compare_stream(run, "stdout", run.stdout, found["stdout"])
    if run.stderr is not None and "stderr" in found:
        yield compare_stream(run, "stderr", run.stderr, found["stderr"])


def compare_stream(run: Run, stream: Literal["stdout", "stderr"], expected: Output, found: Collected) -> Line:
    """Compare one stream."""
    if expected.sha256 is None:
        return Line("unknown", run.id, None, NOT_RECORDED, stream, reasons=("not recorded",))
    if expected.sha256 == found.sha256:
        return Line("same", run.id, None, "", stream)
    reason, detail = describe_content(expected.size, expected.sha256, found.size, found.sha256)
    if expected.kind == "terminal":
        detail += "; the original wrote to a terminal"
    return Line("different", run.id, None, detail, stream, reasons=(reason,))


def compare_result(expected: Result, found: Result | None) -> Line:
    """Compare what is at a path with what the original run left there."""
    run, path = expected.run, expected.path
    there = found if found is not None and found.type is not None else None
    if expected.type is None:
        if there is None:
            return Line("same", run, path)
        detail = "it is still there; the original run removed it"
        return Line("extra", run, path, detail, reasons=("still there",))
    if there is None:
        return Line("missing", run, path)
    if expected.vague:
        return Line("unknown", run, path, NO_DIGEST, reasons=("no digest",))
    differences = list(list_differences(expected, there))
    if differences:
        reasons, details = zip(*differences, strict=True)
        return Line("different", run, path, "; ".join(details), reasons=reasons)
    if expected.type is FileType.REGULAR and expected.sha256 is None:
        return Line("unknown", run, path, NO_DIGEST, reasons=("no digest",))
    if expected.type is FileType.REGULAR and there.sha256 is None:
        return Line("unknown", run, path, NOT_READ, reasons=("not read",))
    return Line("same", run, path)


def list_differences(expected: Result, found: Result) -> Iterator[Difference]:
    """Yield in what two results differ."""
    if expected.type is not found.type:
        yield Difference("type", f"{describe_type(found)}, was {describe_type(expected)}")
        return
    if expected.type is FileType.REGULAR:
        known = None not in {expected.sha256, found.sha256}
        if expected.size != found.size or (known and expected.sha256 != found.sha256):
            yield describe_content(expected.size, expected.sha256, found.size, found.sha256)
        if (expected.mode ^ found.mode) & PERMISSIONS:
            yield Difference("mode", f"mode {found.mode & PERMISSIONS:04o}, was {expected.mode & PERMISSIONS:04o}")
    elif expected.target != found.target:
        detail = f"leads to {printable(found.target or b'')}, was {printable(expected.target or b'')}"
        yield Difference("target", detail)


def describe_type(result: Result) -> str:
    """Return what kind of file a result is."""
    return WORDS[result.type] if result.type is not None else "nothing"
