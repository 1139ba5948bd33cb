"""Replay a bundle in isolation, and compare what comes out with what came out of the original run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from rtrace import interrupts
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.collecting import Collected, collecting
from rtrace.elsewhere import NO_SOURCES, Sources
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError
from rtrace.limits import DEFAULT_LIMITS, TIMED_OUT, Limits
from rtrace.manifest.model import NamedFile, Output, Run
from rtrace.opening import open_bundle
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace.unpacker import Outcome, Snapshot, Streams, Target, Unpacker
from rtrace.workspaces import THROW_AWAY

Verdict: TypeAlias = Literal["same", "different", "missing", "extra", "unknown"]

VERDICTS: tuple[Verdict, ...] = ("same", "different", "missing", "extra", "unknown")
PERMISSIONS = 0o777
PROVIDED = (b"/dev", b"/proc", b"/sys")
"""What a replay provides afresh and lets go of afterwards: nothing there can be compared."""

NO_VERDICT = 3
NO_INPUT = "some of the original's input was not captured"
NO_DIGEST = "the bundle does not hold the original's digest"
TOO_HOLLOW = "it has more bytes of holes than are hashed, so its content was not compared"
_MOST_FOLDERS = 32
"""Folders above an output whose own names may change."""
_PATTERNS_ROOM = 32 << 20
"""Bytes of all patterns of outputs and of the folders above them."""
_MOST_MATCHED = 5_000_000
"""Bytes of all names that are compared with a pattern."""
STREAMS = {"stdout": "standard output", "stderr": "standard error"}
WORDS = {
    FileType.REGULAR: "a file",
    FileType.DIRECTORY: "a directory",
    FileType.SYMLINK: "a symbolic link",
    FileType.FIFO: "a FIFO",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was compared: a path of a run, a stream, or its exit status (``path`` and ``stream`` are None)."""

    verdict: Verdict
    run: str
    path: bytes | None
    detail: str = ""
    stream: Literal["stdout", "stderr"] | None = None

    @property
    def text(self) -> str:
        """What was compared and, unless it is the same, in what it differs."""
        if self.path is not None:
            what = printable(self.path)
        else:
            what = f"{STREAMS[self.stream] if self.stream else 'exit status'} of {self.run}"
        return f"{what}: {self.detail}" if self.detail else what


@dataclass(frozen=True, slots=True)
class Report:
    """All that was compared, run by run, the exit status of each first.

    ``reached`` names the first limit that ended a run; ``notes`` are what the replays had to say of their limits.
    """

    lines: tuple[Line, ...]
    reached: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """What `rtrace verify` exits with: 0 the same, 1 not, 3 no verdict, 124 none for want of time."""
        if self.reached is not None:
            return TIMED_OUT if self.reached == "timeout" else NO_VERDICT
        return 0 if self.same else 1

    @property
    def same(self) -> bool:
        """Tell whether nothing differs, and nothing could not be compared."""
        return all(line.verdict == "same" for line in self.lines)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many lines have each verdict."""
        return Counter(line.verdict for line in self.lines)

    @property
    def summary(self) -> str:
        """The report in one sentence."""
        if not self.lines:
            return "there is nothing to compare"
        if self.same:
            return f"all is the same ({len(self.lines)} compared)"
        return ", ".join(f"{self.counts[verdict]} {verdict}" for verdict in VERDICTS if self.counts[verdict])

    def to_json(self) -> dict[str, object]:
        """Return the report for a program to read; a line without a path or stream is an exit status."""
        return {
            "same": self.same,
            **({} if self.reached is None else {"limit": self.reached}),
            "lines": [
                {
                    "verdict": line.verdict,
                    "run": line.run,
                    **({} if line.path is None else {"path": printable(line.path)}),
                    **({} if line.stream is None else {"stream": line.stream}),
                    **({"detail": line.detail} if line.detail else {}),
                }
                for line in self.lines
            ],
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
        return Line("unknown", run.id, None, outcome.notes[0] if outcome.notes else f"ended by --{outcome.reached}")
    if run.exit_status is None:
        return Line("unknown", run.id, None, f"{outcome.exit_status}; the end of the original run was not seen")
    if run.exit_status == outcome.exit_status:
        return Line("same", run.id, None)
    return Line("different", run.id, None, f"{outcome.exit_status} instead of {run.exit_status}")


def compare_streams(run: Run, found: Mapping[str, Collected]) -> Iterator[Line]:
    """Compare what a run wrote to standard output and error, as far as it is known of the original."""
    if run.stdout is not None and "stdout" in found:
        yield compare_stream(run, "stdout", run.stdout, found["stdout"])
    if run.stderr is not None and "stderr" in found:
        yield compare_stream(run, "stderr", run.stderr, found["stderr"])


def compare_stream(run: Run, stream: Literal["stdout", "stderr"], expected: Output, found: Collected) -> Line:
    """Compare one stream."""
    if expected.sha256 is None:
        return Line("unknown", run.id, None, NO_DIGEST, stream)
    if expected.sha256 == found.sha256:
        return Line("same", run.id, None, "", stream)
    if expected.size != found.size:
        detail = f"{found.size} bytes instead of {expected.size}"
    else:
        detail = f"other content in the {found.size} bytes (SHA-256 {found.sha256} instead of {expected.sha256})"
    if expected.kind == "terminal":
        detail += "; the original wrote to a terminal"
    return Line("different", run.id, None, detail, stream)


def compare_result(expected: Result, found: Result | None) -> Line:
    """Compare what is at a path with what the original run left there."""
    there = found if found is not None and found.type is not None else None
    if expected.type is None:
        if there is None:
            return Line("same", expected.run, expected.path)
        return Line("extra", expected.run, expected.path, "it is still there, and the original run removed it")
    if there is None:
        return Line("missing", expected.run, expected.path)
    if expected.vague:
        return Line("unknown", expected.run, expected.path, NO_DIGEST)
    differences = "; ".join(list_differences(expected, there))
    if differences:
        return Line("different", expected.run, expected.path, differences)
    if expected.type is FileType.REGULAR and expected.sha256 is None:
        return Line("unknown", expected.run, expected.path, NO_DIGEST)
    if expected.type is FileType.REGULAR and there.sha256 is None:
        return Line("unknown", expected.run, expected.path, TOO_HOLLOW)
    return Line("same", expected.run, expected.path)


def list_differences(expected: Result, found: Result) -> Iterator[str]:
    """Say in what two results differ."""
    if expected.type is not found.type:
        yield f"{describe_type(found)} instead of {describe_type(expected)}"
        return
    if expected.type is FileType.REGULAR:
        if expected.size != found.size:
            yield f"{found.size} bytes instead of {expected.size}"
        elif None not in {expected.sha256, found.sha256} and expected.sha256 != found.sha256:
            yield f"other content in the {found.size} bytes (SHA-256 {found.sha256} instead of {expected.sha256})"
        if (expected.mode ^ found.mode) & PERMISSIONS:
            yield f"mode {found.mode & PERMISSIONS:04o} instead of {expected.mode & PERMISSIONS:04o}"
    elif expected.target != found.target:
        yield f"leads to {printable(found.target or b'')} instead of {printable(expected.target or b'')}"


def describe_type(result: Result) -> str:
    """Say what kind of file a result is."""
    return WORDS[result.type] if result.type is not None else "nothing"


def is_provided(path: bytes) -> bool:
    """Tell whether a path belongs to what a replay provides."""
    return any(path == place or path.startswith(place + b"/") for place in PROVIDED)


def verify_bundle(  # noqa: PLR0913 -- each is a choice of its own
    bundle: Path,
    unpacker: Unpacker,
    workspace: Path,
    *,
    progress: Progress = SILENT,
    quiet: bool = False,
    shown: int = 2,
    sources: Sources = NO_SOURCES,
    limits: Limits = DEFAULT_LIMITS,
    allowed: frozenset[str] = frozenset(),
) -> Report:
    """Replay every run of a bundle in a throw-away target below an existing folder, and compare.

    A run's files are compared right after it, before a later run rewrites them; what nobody expected is looked for
    after the last one. The programs read nothing, and all they write goes to the descriptor ``shown``, or nowhere
    (``quiet``). A difference is no error: raised is only what keeps the bundle from being replayed at all.
    """
    with open_bundle(bundle) as opened:
        runs, results, entries = opened.manifest.runs, opened.results, opened.entries
        patterns = find_patterns(opened.manifest.outputs)
        keeps_digests = opened.keeps_digests
        lacks_input = any(notice.kind == "input" for notice in opened.manifest.notices)
        lacks_input = lacks_input or any(run.lacks_input for run in runs)
        named = {output.path for output in opened.manifest.outputs}
    by_run: dict[str, list[Result]] = {}
    for result in results:
        by_run.setdefault(result.run, []).append(result)
    every_path: dict[bytes, int | None] = dict.fromkeys(result.path for result in results)
    lines: list[Line] = []
    outcomes: list[Outcome] = []
    made = unpacker.unpack(bundle, workspace / THROW_AWAY, progress=progress, sources=sources).target
    target = unpacker.open(made)
    try:
        with streams_for_verifying(None if quiet else shown) as streams:
            for number, run in enumerate(runs):
                with collecting(run, streams) as collection:
                    outcome = replay(target, run, collection.streams, limits, allowed)
                outcomes.append(outcome)
                expected = by_run.get(run.id, [])
                is_last = number == len(runs) - 1
                sizes = {result.path: result.size if result.sha256 else None for result in expected}
                snapshot = target.inspect(every_path | sizes if is_last else sizes, entries)
                unnamed = {result.path for result in expected if result.vague and result.path not in named}
                status, *files = compare(run, outcome, expected, snapshot)
                files = [line for line in files if line.verdict != "missing" or line.path not in unnamed]
                lines += (status, *compare_streams(run, collection.found), *files)
                if not keeps_digests:
                    lines += (Line("unknown", run.id, None, NO_DIGEST, "stdout"),)
                    lines += (Line("unknown", run.id, None, NO_DIGEST, "stderr"),)
                if is_last:
                    lines += (Line("extra", run.id, path) for path in snapshot.extra if not is_provided(path))
                    if snapshot.more:
                        lines.append(Line("extra", run.id, b"/", f"and {snapshot.more} more, too many to be named"))
        renamed = pair_renamed(lines, patterns)
        found = find_renamed(target, renamed, results, entries)
    finally:
        with interrupts.shielded():
            target.destroy()
    reached = next((outcome.reached for outcome in outcomes if outcome.reached is not None), None)
    notes = tuple(f"{outcome.run}: {note}" for outcome in outcomes for note in outcome.notes)
    settled = settle_renamed(lines, renamed, results, found)
    return Report(tuple(map(doubt, settled) if lacks_input else settled), reached, notes)


def doubt(line: Line) -> Line:
    """Give a difference as one that says nothing, as the replay was not given all that the original was."""
    if line.verdict in {"same", "unknown"}:
        return line
    detail = f"{line.verdict}, {line.detail}" if line.detail else line.verdict
    return replace(line, verdict="unknown", detail=f"{detail}; {NO_INPUT}")


def find_renamed(
    target: Target, renamed: Mapping[bytes, bytes], results: Iterable[Result], entries: Iterable[Entry]
) -> Mapping[bytes, Result]:
    """Look at the files with other names that are outputs of the original."""
    if not renamed:
        return {}
    sizes = {renamed[result.path]: result.size for result in results if result.path in renamed}
    return target.inspect(sizes, entries).found


def find_patterns(outputs: Iterable[NamedFile]) -> dict[bytes, bytes]:
    """Give by path the patterns of outputs whose names change, and of the folders on the way to them that do, too."""
    patterns: dict[bytes, bytes] = {}
    room = _PATTERNS_ROOM
    for output in outputs:
        path, pattern = output.path, output.pattern
        deep = 1 + max(0, path.count(b"/") - _MOST_FOLDERS)
        while pattern is not None and pattern != path and path.count(b"/") == pattern.count(b"/") > deep:
            patterns[path] = pattern
            room -= len(path) + len(pattern)
            if room < 0:
                return patterns
            path, pattern = path.rpartition(b"/")[0], pattern.rpartition(b"/")[0]
        if pattern is not None and pattern != path:
            patterns[path] = pattern
    return patterns


def pair_renamed(lines: Iterable[Line], patterns: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Give, by the original's path, under which other name a replay left an output whose name changes.

    A path that is missing and one that nobody expected belong together when the pattern matches no other.
    """
    if not patterns:
        return {}
    from rtrace.packing.patterns import Patterns, fixed_beginning  # needs re, which most verifications do not

    missing = [line.path for line in lines if line.verdict == "missing" and line.path in patterns]
    extra = [line.path for line in lines if line.verdict == "extra" and line.path is not None]
    left = _MOST_MATCHED
    pairs: dict[bytes, bytes] = {}
    for path in filter(None, missing):
        matcher, beginning, depth = Patterns([patterns[path]]), fixed_beginning(patterns[path]), path.count(b"/")
        candidates = [other for other in extra if other.startswith(beginning) and other.count(b"/") == depth]
        left -= sum(map(len, candidates))
        if left < 0:
            return {}
        fitting = list(filter(matcher.match, candidates))
        if len(fitting) == 1:
            pairs[path] = fitting[0]
    return pairs if len(set(pairs.values())) == len(pairs) else {}


def settle_renamed(
    lines: Iterable[Line], renamed: Mapping[bytes, bytes], results: Iterable[Result], found: Mapping[bytes, Result]
) -> Iterator[Line]:
    """Put the comparison with the renamed file in the place of the line that says that the original's is missing."""
    expected = {(result.run, result.path): result for result in results}
    for line in lines:
        path = line.path
        if path is not None and line.verdict == "missing" and path in renamed and (line.run, path) in expected:
            other = renamed[path]
            compared = compare_result(expected[line.run, path], found.get(other))
            detail = f"now called {printable(other)}"
            yield replace(compared, detail=f"{detail}; {compared.detail}" if compared.detail else detail)
        elif not (line.verdict == "extra" and path in renamed.values()):
            yield line


def replay(target: Target, run: Run, streams: Streams, limits: Limits, allowed: frozenset[str]) -> Outcome:
    """Replay a run; that its program cannot be started is an outcome here, with the status that a shell gives it."""
    try:
        with interrupts.ending_at_once():
            return target.run(run, streams=streams, limits=limits, allowed=allowed)
    except (CommandNotFoundError, CommandNotExecutableError) as error:
        return Outcome(run.id, error.exit_status, None)


@contextmanager
def streams_for_verifying(shown: int | None) -> Iterator[Streams]:
    """Yield the streams of a replay that reads nothing and whose output is no data of ours."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        output = null if shown is None else shown
        yield Streams(null, output, output)
    finally:
        os.close(null)
