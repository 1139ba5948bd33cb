"""The program that a container of the image starts, with its data: the runs, and what a replay of each has to leave.

    0x410000    the addresses of the runs and their number, and those of texts: help, names of runs, what is not judged
    and then    the runs, results, strings, as image.c and results.h declare them; words have the processor's size

What lies before that is code, see `rtrace_unpackers.launchers.elf`, and executed alone; this is read and written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from rtrace.bundle.entry import FileType
from rtrace.errors import TargetError
from rtrace.exports.protocol import Expectations, ExpectedResult
from rtrace.manifest.model import Output, Run
from rtrace.printable import count, printable, printable_text
from rtrace.replay.needs import add_needed
from rtrace_unpackers.engines.container.exported import REPLACED
from rtrace_unpackers.engines.image.dockerfile import name_launchers
from rtrace_unpackers.engines.image.launcher import LauncherData, find_processor
from rtrace_unpackers.launchers.elf import BASE, EXECUTABLE, READABLE, WRITABLE, Segment, build_program
from rtrace_unpackers.launchers.machine_code import CODE

DATA = 0x10000
"""Where the data lie in the file; image.c knows."""
PARAMETER_COUNT = 5
WORDS_FOR_LATER = 2
"""What the program itself keeps of a run."""

UNTOLD = 6
KINDS = {None: 0, FileType.REGULAR: 1, FileType.DIRECTORY: 2, FileType.SYMLINK: 3, FileType.FIFO: 4}
DIGEST, VAGUE, OPTIONAL, HELD, RENAMED, OTHER_FILE = 1, 2, 4, 8, 16, 32
STREAM_KINDS = {"pipe": 1, "file": 2, "terminal": 3}
KNOWN, CUT, JOINED, TOLD = 1, 2, 4, 8
LARGEST_KEPT = 256 << 20
"""Bytes of a stream that went to a file: a replay's goes to one in memory, and a larger one through a pipe."""

NOT_WRITTEN = "no run is known to have written it, so there is nothing to compare it with"
ENGINES_OWN = "every container has the engine's own, so it was not compared"


def build_first_program(
    runs: Sequence[Run], expectations: Expectations, identity: str, *, keeps_digests: bool
) -> bytes:
    """Return the program for the kind of processor of the first run. Raises TargetError for an unknown one."""
    processor = find_processor(runs[0].architecture)
    if any(find_processor(run.architecture).kernel != processor.kernel for run in runs):
        names = ", ".join(sorted({run.architecture for run in runs}))
        raise TargetError(f"an image is for one kind of processor, and the runs are for {names}; export them apart")
    data = LauncherData(processor.word, BASE + DATA + PARAMETER_COUNT * processor.word)
    rows = b"".join(lay_out_runs(runs, expectations, data, keeps_digests=keeps_digests))
    parameters = (
        data.add_block(rows),
        len(runs),
        data.add_string(tell_help(runs, identity).encode()),
        data.add_string(f"; the runs are {', '.join(printable_text(run.id) for run in runs)}".encode()),
        data.add_string(tell_unjudged(expectations).encode()),
    )
    content = data.pack(parameters)
    segments = (Segment(0, DATA, READABLE | EXECUTABLE), Segment(DATA, len(content), READABLE | WRITABLE))
    return build_program(processor, CODE["image", processor.name], segments, content, DATA)


def lay_out_runs(
    runs: Sequence[Run], expectations: Expectations, data: LauncherData, *, keeps_digests: bool
) -> Iterable[bytes]:
    """Yield the words of each run, and add all that they lead to."""
    launchers = name_launchers(runs)
    numbers = {run.id: number for number, run in enumerate(runs)}
    results = group_results(runs, expectations)
    untold = group_unwritten(expectations)
    for run in runs:
        needs = [numbers[one.id] for one in add_needed(runs, (run,)) if one is not run]
        rows = [lay_out_result(one, data) for one in results[run.id]]
        rows += [lay_out_untold(path, NOT_WRITTEN, data) for path in untold.get(run.id, ())]
        doubt = expectations.doubts.get(run.id)
        yield data.pack_words(
            [
                data.add_string(run.id.encode("utf-8", "surrogateescape")),
                data.add_string(launchers[run.id].encode()),
                run.uid,
                run.gid,
                data.add_block(struct.pack(f"<{len(run.groups)}I", *run.groups)),
                len(run.groups),
                data.add_block(data.pack_words([*needs, -1])),
                -1 if run.exit_status is None else run.exit_status,
                data.add_string(run.interruption.encode()) if run.interruption else 0,
                data.add_string(doubt.encode()) if doubt else 0,
                data.add_block(b"".join(rows)),
                len(rows),
            ]
        )
        for name, output in (("stdout", run.stdout), ("stderr", run.stderr)):
            is_told = name in expectations.streams and (output is not None or not keeps_digests)
            yield lay_out_stream(output, data, is_told=is_told)
        yield data.pack_words([0] * WORDS_FOR_LATER)


def group_results(runs: Sequence[Run], expectations: Expectations) -> Mapping[str, list[ExpectedResult]]:
    """Return the results of each run, sorted by their paths."""
    groups: dict[str, list[ExpectedResult]] = {run.id: [] for run in runs}
    for one in expectations.results:
        if one.result.run in groups:
            groups[one.result.run].append(one)
    for group in groups.values():
        group.sort(key=lambda one: one.result.path)
    return groups


def group_unwritten(expectations: Expectations) -> Mapping[str, list[bytes]]:
    """Return the outputs that nobody is known to have written, by run."""
    groups: dict[str, list[bytes]] = {}
    for run, path in expectations.unwritten:
        groups.setdefault(run, []).append(path)
    return groups


def lay_out_result(expected: ExpectedResult, data: LauncherData) -> bytes:
    """Return the row of a result."""
    result = expected.result
    if result.path in REPLACED:
        return lay_out_untold(result.path, ENGINES_OWN, data, counts=expected.counts)
    flags = (
        DIGEST * (result.sha256 is not None)
        | VAGUE * result.vague
        | OPTIONAL * expected.optional
        | HELD * expected.held
        | RENAMED * expected.renamed
        | OTHER_FILE * (not expected.counts)
    )
    path, shown = add_name(result.path, data)
    target, shown_target = (0, 0) if result.target is None else add_name(result.target, data)
    words = [path, shown, target, shown_target, 0, KINDS[result.type], flags, result.mode, len(result.target or b"")]
    return finish_row(words, result.size, result.sha256, data)


def lay_out_untold(path: bytes, remark: str, data: LauncherData, *, counts: bool = True) -> bytes:
    """Return the row of a path that cannot be compared."""
    where, shown = add_name(path, data)
    flags = 0 if counts else OTHER_FILE
    return finish_row([where, shown, 0, 0, data.add_string(remark.encode()), UNTOLD, flags, 0, 0], 0, None, data)


def finish_row(words: Sequence[int], size: int, sha256: str | None, data: LauncherData) -> bytes:
    """Return a row of results: words, the size, the digest, and room for what the program keeps of it."""
    digest = bytes.fromhex(sha256) if sha256 is not None else bytes(32)
    return data.pack_words(words) + struct.pack("<Q32s", size, digest) + bytes(16)


def add_name(name: bytes, data: LauncherData) -> tuple[int, int]:
    """Add a name as it is, and as a terminal may be shown it; often they are the same."""
    address, shown = data.add_string(name), printable(name).encode()
    return address, (address if shown == name else data.add_string(shown))


def lay_out_stream(output: Output | None, data: LauncherData, *, is_told: bool) -> bytes:
    """Return the row of what a run printed."""
    if output is None:
        return data.pack_words([0, TOLD * is_told, 0, 0]) + bytes(40)
    is_kept = output.kind != "file" or (output.size is not None and output.size <= LARGEST_KEPT)
    kind = STREAM_KINDS.get(output.kind, 1) if is_kept else STREAM_KINDS["pipe"]
    is_known = output.sha256 is not None
    known = KNOWN * is_known | CUT * (output.cut and output.size is not None) | JOINED * output.joined
    rows, columns = output.window or (0, 0)
    known |= TOLD * (is_told and not output.joined)
    digest = bytes.fromhex(output.sha256) if output.sha256 is not None else bytes(32)
    words = data.pack_words([kind, known, rows & 0xFFFF, columns & 0xFFFF])
    return words + struct.pack("<Q32s", output.size or 0, digest)


def tell_help(runs: Sequence[Run], identity: str) -> str:
    """Return how a container is used, for whoever asks it."""
    start = "docker run --rm --network none IMAGE"
    shown = [(printable_text(run.id), " ".join(map(printable, run.argv))[:200]) for run in runs]
    return (
        f"An image of {count(len(runs), 'recorded run')}, made by rtrace of the bundle {identity}.\n\n"
        f"  {start}            replays all runs, until one fails\n"
        f"  {start} RUN...     replays these, and before them the runs that they need\n"
        f"  {start} verify     replays, and compares exit statuses, what is printed, and outputs;\n"
        "      `verify RUN...` does so for these runs. It ends with 0 (the same), 1 (different) or 3 (no verdict)\n"
        f"  {start} /PROGRAM   starts a program of the image instead\n"
        f"  {start} --help     says this\n\n"
        "A container is for one replay: in one that is started again, what the replay before wrote is still there.\n"
        f"{tell_unjudged(Expectations()).capitalize()}.\n\nRuns:\n"
        + "".join(f"  {name:8}  {command}\n" for name, command in shown)
    )


def tell_unjudged(expectations: Expectations) -> str:
    """Return what a verification in a container does not look at."""
    left_out = f"; {count(expectations.ignored, 'result')} left out by the author" if expectations.ignored else ""
    return (
        "not judged here, but by `rtrace verify`: new files that the original did not leave, outputs under another name"
        + left_out
    )
