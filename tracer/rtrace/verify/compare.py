"""Replay a bundle in isolation, and compare what comes out with what came out of the original run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

from rtrace import interrupts
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.protocol import OpenBundle
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError
from rtrace.files.hierarchy import is_provided
from rtrace.files.workspaces import THROW_AWAY
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.incompleteness import DOUBTS, limit_waiting, list_incomplete
from rtrace.manifest.model import Manifest, NamedFile, Output, Run
from rtrace.opening import open_bundle
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace.replay.needs import add_needed, choose_runs, tell_unknown_needs
from rtrace.replay.protocol import Outcome, Snapshot, Stamp, Stamper, Streams, Target, Unpacker
from rtrace.replay.streams import Collected, collecting
from rtrace.verify.held import UNTOLD, UNWRITTEN, find_held, leave_out_untouched
from rtrace.verify.name_order import SAME_SIZE, tell_order
from rtrace.verify.scopes import Scopes
from rtrace.verify.verdicts import DIFFERING, Line, Report, fold_others

PERMISSIONS = 0o777

NO_INPUT = "some of the original's input was not captured"
NO_DIGEST = "the bundle does not hold the original's digest"
NOT_RECORDED = "it was not recorded"
NOT_READ = "it cannot be read, or has more bytes of holes than are hashed, so its content was not compared"
_MOST_FOLDERS = 32
"""Folders above an output whose own names may change."""
_PATTERNS_ROOM = 32 << 20
"""Bytes of all patterns of outputs and of the folders above them."""
_MOST_MATCHED = 5_000_000
"""Bytes of all names that are compared with a pattern."""
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
        return Line("unknown", run.id, None, outcome.notes[0] if outcome.notes else f"ended by --{outcome.reached}")
    if run.exit_status is None:
        return Line("unknown", run.id, None, f"{outcome.exit_status}; the end of the original run was not seen")
    if run.exit_status == outcome.exit_status:
        return Line("same", run.id, None)
    if run.interruption is not None:
        return Line("unknown", run.id, None, f"{outcome.exit_status}; the original run was {run.interruption}")
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
        return Line("unknown", run.id, None, NOT_RECORDED, stream)
    if expected.sha256 == found.sha256:
        return Line("same", run.id, None, "", stream)
    if expected.size != found.size:
        detail = f"{found.size} bytes instead of {expected.size}"
    else:
        detail = f"{SAME_SIZE} {found.size} bytes (SHA-256 {found.sha256} instead of {expected.sha256})"
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
        return Line("unknown", expected.run, expected.path, NOT_READ)
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
            yield f"{SAME_SIZE} {found.size} bytes (SHA-256 {found.sha256} instead of {expected.sha256})"
        if (expected.mode ^ found.mode) & PERMISSIONS:
            yield f"mode {found.mode & PERMISSIONS:04o} instead of {expected.mode & PERMISSIONS:04o}"
    elif expected.target != found.target:
        yield f"leads to {printable(found.target or b'')} instead of {printable(expected.target or b'')}"


def describe_type(result: Result) -> str:
    """Say what kind of file a result is."""
    return WORDS[result.type] if result.type is not None else "nothing"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be verified: the runs that are replayed, and what the bundle says of them.

    ``held`` are results, by run and path, that count only when the replay wrote them; ``vague`` is set for bundles that
    do not say what outputs have to be.
    """

    manifest: Manifest
    runs: tuple[Run, ...]
    results: tuple[Result, ...]
    entries: tuple[Entry, ...]
    held: frozenset[tuple[str, bytes]]
    vague: bool

    @property
    def paths(self) -> dict[bytes, int | None]:
        """All paths that a run of the bundle may have changed, as `Target.inspect` takes them."""
        return dict.fromkeys(result.path for result in self.results)


def read_subject(opened: OpenBundle, names: Sequence[str], workspace: Path) -> Subject:
    """Read what is to be verified of a bundle: the runs that are named with those that they need, or all."""
    results, entries = opened.results, opened.entries
    held = leave_out_untouched(find_held(results, entries), opened, workspace)
    runs = add_needed(opened.manifest.runs, choose_runs(opened.manifest.runs, tuple(dict.fromkeys(names)), opened.path))
    return Subject(opened.manifest, runs, results, entries, held, not opened.keeps_digests)


def verify_bundle(  # noqa: PLR0913 -- each is a choice of its own
    bundle: Path,
    unpacker: Unpacker,
    workspace: Path,
    *,
    names: Sequence[str] = (),
    ignored: Sequence[bytes] = (),
    progress: Progress = SILENT,
    quiet: bool = False,
    shown: int = 2,
    sources: Sources = NO_SOURCES,
    limits: Limits = DEFAULT_LIMITS,
    allowed: frozenset[str] = frozenset(),
) -> Report:
    """Replay the runs of a bundle in a throw-away target below an existing folder, and compare.

    A run's files are compared right after it, before a later run rewrites them; what nobody expected is looked for
    after the last one. The programs read nothing, and all they write goes to the descriptor ``shown``, or nowhere
    (``quiet``). A difference is no error: raised is only what keeps the bundle from being replayed at all, and
    UsageError for a run in ``names`` that is not there. ``ignored`` are patterns besides those of the manifest.
    """
    with open_bundle(bundle) as opened:
        subject = read_subject(opened, names, workspace)
    patterns = find_patterns(subject.manifest.outputs)
    by_run: dict[str, list[Result]] = {run.id: [] for run in subject.runs}
    for result in subject.results:
        by_run.setdefault(result.run, []).append(result)
    outcomes: list[Outcome] = []
    lines: list[Line] = []
    made = unpacker.unpack(bundle, workspace / THROW_AWAY, progress=progress, sources=sources).target
    target = unpacker.open(made)
    try:
        witness = Witness(target, subject.held)
        with streams_for_verifying(None if quiet else shown) as streams:
            for number, run in enumerate(subject.runs):
                with collecting(run, streams) as collection:
                    given = limit_waiting(limits, subject.manifest, run)
                    outcomes.append(replay(target, run, collection.streams, given, allowed))
                is_last = number == len(subject.runs) - 1
                snapshot = take_snapshot(target, subject, by_run[run.id], is_last=is_last)
                lines += compare_run(subject, run, outcomes[-1], collection.found, by_run[run.id], snapshot)
                lines = witness.settle(lines, run.id)
        renamed = pair_renamed(lines, patterns)
        found = find_renamed(target, renamed, subject.results, subject.entries)
    finally:
        with interrupts.shielded():
            target.destroy()
    settled = settle_renamed(lines, renamed, subject.results, found)
    return make_report(subject, list(settled), outcomes, ignored)


def take_snapshot(target: Target, subject: Subject, expected: Iterable[Result], *, is_last: bool) -> Snapshot:
    """Look at what a run has to leave; after the last one, also for what nobody expected."""
    sizes = {result.path: result.size if result.sha256 else None for result in expected}
    if is_last:
        return target.inspect(subject.paths | sizes, subject.entries)
    return replace(target.inspect(sizes, subject.entries), extra=(), more=0)


def compare_run(
    subject: Subject,
    run: Run,
    outcome: Outcome,
    streams: Mapping[str, Collected],
    expected: Sequence[Result],
    snapshot: Snapshot,
) -> Iterator[Line]:
    """Compare a replayed run, and tell of the extra files of its snapshot."""
    named = {output.path for output in subject.manifest.outputs}
    unnamed = {result.path for result in expected if result.vague and result.path not in named}
    status, *files = compare(run, outcome, expected, snapshot)
    yield status
    yield from compare_streams(run, streams)
    yield from (line for line in files if line.verdict != "missing" or line.path not in unnamed)
    if subject.vague:
        yield Line("unknown", run.id, None, NO_DIGEST, "stdout")
        yield Line("unknown", run.id, None, NO_DIGEST, "stderr")
    yield from (Line("extra", run.id, path) for path in snapshot.extra if not is_provided(path))
    if snapshot.more:
        yield Line("extra", run.id, b"/", f"and {snapshot.more} more, too many to be named")


class Witness:
    """Knows of files that the bundle holds as a run left them whether the replay wrote them."""

    def __init__(self, target: Target, held: frozenset[tuple[str, bytes]]) -> None:
        self._target = target
        self._held = held
        self._before = self._stamp()

    def settle(self, lines: list[Line], run: str) -> list[Line]:
        """Give the lines with another verdict for what seems to be the same and was not written by the replay."""
        suspects = {line.path for line in lines if line.verdict == "same" and (line.run, line.path) in self._held}
        if not suspects or run not in {held for held, _ in self._held}:
            return lines
        now = self._stamp()
        return [self._judge(line, now) if line.run == run and line.path in suspects else line for line in lines]

    def _judge(self, line: Line, now: Mapping[bytes, Stamp]) -> Line:
        if line.path is None or line.verdict != "same" or (line.run, line.path) not in self._held:
            return line
        before, after = self._before.get(line.path), now.get(line.path)
        if before is None or after is None:
            return replace(line, verdict="unknown", detail=UNTOLD)
        return line if before != after else replace(line, verdict="missing", detail=UNWRITTEN)

    def _stamp(self) -> Mapping[bytes, Stamp]:
        if not self._held or not isinstance(self._target, Stamper):
            return {}
        return self._target.stamp({path for _, path in self._held})


def make_report(subject: Subject, lines: list[Line], outcomes: Sequence[Outcome], ignored: Sequence[bytes]) -> Report:
    """Say what each line means, and put the report together."""
    if lacks_input(subject):
        lines = list(map(doubt, lines))
    patterns = tuple(dict.fromkeys((*subject.manifest.ignore, *ignored)))
    paths = chain((entry.path for entry in subject.entries), (line.path for line in lines if line.path is not None))
    scopes = Scopes(subject.manifest, patterns, paths)
    lines += scopes.find_unwritten(lines, [run.id for run in subject.runs])
    reached = next((outcome.reached for outcome in outcomes if outcome.reached is not None), None)
    notes = [f"{outcome.run}: {note}" for outcome in outcomes for note in outcome.notes]
    notes += scopes.find_unused(ignored, lines)
    sorted_lines = tuple(scopes.sort(lines))
    judged = [line for line in sorted_lines if line.scope == "output"]
    notes += tell_order(judged, subject.runs, subject.entries)
    if any(line.verdict in DIFFERING and line.scope == "output" for line in sorted_lines):
        notes += filter(None, [tell_unknown_needs(subject.manifest.runs, subject.runs)])
    folders = scopes.find_folders(line for line in sorted_lines if line.scope == "other")
    incomplete = tuple(list_incomplete(subject.manifest))
    return Report(sorted_lines, reached, tuple(notes), incomplete, tuple(fold_others(sorted_lines, folders)))


def lacks_input(subject: Subject) -> bool:
    """Whether the original was given what the bundle does not hold."""
    told = any(notice.kind in DOUBTS for notice in subject.manifest.notices)
    return told or any(run.lacks_input for run in subject.runs)


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
    from rtrace.files.patterns import Patterns, fixed_beginning

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
