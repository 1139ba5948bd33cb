"""Replay a bundle in isolation, and compare what comes out with what came out of the original run."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from rtrace import interrupts
from rtrace.bundle.entry import Entry, Result
from rtrace.bundle.protocol import OpenBundle
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError
from rtrace.files.hierarchy import is_provided
from rtrace.files.workspaces import THROW_AWAY, temporary
from rtrace.freezing.model import Freeze
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.incompleteness import CHANGED, limit_waiting, list_incomplete
from rtrace.manifest.model import Manifest, Run
from rtrace.opening import open_bundle
from rtrace.printable import count, plural
from rtrace.progress import SILENT, Progress
from rtrace.replay.choosing import tell_caution
from rtrace.replay.foreign import refuse_foreign
from rtrace.replay.frozen import choose_freeze, start, tell_unpinned
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.needs import add_needed, choose_runs, tell_unknown_needs
from rtrace.replay.protocol import Outcome, Snapshot, Streams, Target, Unpacker, gather_notes
from rtrace.replay.streams import Collected, collecting
from rtrace.verify.claiming.claims import Claims
from rtrace.verify.compare import NO_DIGEST, compare, compare_streams
from rtrace.verify.doubts import doubt, find_doubts
from rtrace.verify.exhibits.gallery import Gallery
from rtrace.verify.held import find_held, leave_out_untouched
from rtrace.verify.kinds.model import Rule
from rtrace.verify.name_order import tell_order
from rtrace.verify.renames import find_patterns, find_renamed, pair_renamed, settle_renamed
from rtrace.verify.scopes import Scopes
from rtrace.verify.substance import Substance
from rtrace.verify.verdicts import DIFFERING, Line, Replayed, Report, fold_others
from rtrace.verify.witness import Witness

EXACT = Rule()
"""Numbers have to be equal, and nothing is left out."""
TWICE = "replayed twice: the first time with files out of the cache, where names in a folder may come in another order"


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
    def claims(self) -> Claims:
        """What a paper says of the results."""
        return Claims(self.manifest)

    @property
    def paths(self) -> dict[bytes, int | None]:
        """All paths that a run of the bundle may have changed, as `Target.inspect` takes them."""
        return dict.fromkeys(result.path for result in self.results)


def read_subject(opened: OpenBundle, names: Sequence[str], workspace: Path) -> Subject:
    """Read what is to be verified of a bundle: the runs that are named with those that they need, or all."""
    results, entries = opened.results, opened.entries
    held = leave_out_untouched(find_held(results, entries), opened, workspace)
    runs = add_needed(opened.manifest.runs, choose_runs(opened.manifest.runs, names, opened.path))
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
    grants: Grants = NOTHING,
    rule: Rule | None = EXACT,
    warn: Callable[[str], None] = lambda _sentence: None,
    shares: bool = True,
    shows: bool = False,
    freezes: bool = False,
) -> Report:
    """Replay the runs of a bundle in a temporary target below an existing folder, and compare.

    A run's files are compared right after it, before a later run rewrites them; what nobody expected is looked for
    after the last one. The programs read nothing, and all they write goes to the descriptor ``shown``, or nowhere
    (``quiet``). A difference is no error: raised is only what keeps the bundle from being replayed at all, and
    UsageError for a run in ``names`` that is not there. ``ignored`` are patterns besides those of the manifest. Where
    bytes differ, contents are compared as what they are by a rule; without one, bytes are all that counts. ``shows``:
    the report has exhibits of what differs.

    With ``shares`` the target may share files with others. Where a program might notice that, a difference counts only
    if it is found in a target of its own as well. With ``freezes`` all is pinned that the target can pin.
    """
    began = time.monotonic()
    with open_bundle(bundle) as opened:
        subject = read_subject(opened, names, workspace)
    refuse_foreign(subject.runs, grants)
    patterns = find_patterns(subject.manifest.outputs)
    by_run: dict[str, list[Result]] = {run.id: [] for run in subject.runs}
    for result in subject.results:
        by_run.setdefault(result.run, []).append(result)
    outcomes: list[Outcome] = []
    replays: list[Replayed] = []
    lines: list[Line] = []
    gallery = Gallery(find_results(subject, ignored)) if shows else None
    made = unpacker.unpack(bundle, workspace / THROW_AWAY, progress=progress, sources=sources, throw_away=shares)
    target = unpacker.open(made.target)
    tell_caution(target, warn)
    unpinned = tell_unpinned(target) if freezes else None
    if unpinned is not None:
        warn(unpinned)
    try:
        witness = Witness(target, subject.held)
        with ExitStack() as stack:
            streams = stack.enter_context(streams_for_verifying(None if quiet else shown))
            substance = None
            copies = None if rule is None and gallery is None else stack.enter_context(temporary("compare"))
            if copies is not None:
                substance = stack.enter_context(
                    Substance(bundle, target, copies, subject.manifest, rule, subject.claims.find_tolerances, gallery)
                )
            for number, run in enumerate(subject.runs):
                with collecting(run, streams, copies and make_folder(copies)) as collection:
                    given = limit_waiting(limits, subject.manifest, run)
                    started = time.monotonic()
                    freeze = choose_freeze(run) if freezes else None
                    outcomes.append(replay(target, run, freeze, collection.streams, given, grants))
                    replays.append(tell_cost(outcomes[-1], time.monotonic() - started))
                is_last = number == len(subject.runs) - 1
                snapshot = take_snapshot(target, subject, by_run[run.id], is_last=is_last)
                compared = compare_run(subject, run, outcomes[-1], collection.found, by_run[run.id], snapshot)
                if substance is not None:
                    compared = substance.settle(compared, run, by_run[run.id], collection.found, snapshot.found)
                lines += compared
                lines = witness.settle(lines, run.id)
            renamed = pair_renamed(lines, patterns)
            found = find_renamed(target, renamed, subject.results, subject.entries)
            looking = (substance.look_at,) if substance is not None else ()
            lines = list(settle_renamed(lines, renamed, subject.results, found, *looking))
    finally:
        with interrupts.shielded():
            target.destroy()
    report = replace(
        make_report(subject, lines, outcomes, ignored, time.monotonic() - began),
        replays=tuple(replays),
        not_shown=0 if gallery is None else gallery.left_out,
    )
    if report.verdict != "different" or made.is_exact:
        return report
    again = verify_bundle(
        bundle,
        unpacker,
        workspace,
        names=names,
        ignored=ignored,
        progress=progress,
        quiet=quiet,
        shown=shown,
        sources=sources,
        limits=limits,
        grants=grants,
        rule=rule,
        warn=warn,
        shares=False,
        shows=shows,
        freezes=freezes,
    )
    return replace(again, notes=(*again.notes, TWICE), seconds=time.monotonic() - began)


def find_results(subject: Subject, ignored: Sequence[bytes]) -> Callable[[bytes | None, str | None], bool]:
    """Return what tells whether a path or stream is a result, before all that there is to tell of is known."""
    scopes = Scopes(subject.manifest, (*subject.manifest.ignore, *ignored), (entry.path for entry in subject.entries))
    return lambda path, stream: scopes.find_of(path, stream) == "output"


def tell_cost(outcome: Outcome, seconds: float) -> Replayed:
    """Return what a replay took."""
    return Replayed(outcome.run, outcome.exit_status, seconds, outcome.reached, outcome.memory, outcome.memory_is_most)


def make_folder(around: Path) -> Path:
    """Return a new folder in another one."""
    return Path(tempfile.mkdtemp(dir=around))


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
        yield Line("unknown", run.id, None, NO_DIGEST, "stdout", reasons=("no digest",))
        yield Line("unknown", run.id, None, NO_DIGEST, "stderr", reasons=("no digest",))
    yield from (Line("extra", run.id, path) for path in snapshot.extra if not is_provided(path))
    if snapshot.more:
        yield Line("extra", run.id, b"/", f"and {snapshot.more} more, too many to be named")


def make_report(
    subject: Subject, lines: list[Line], outcomes: Sequence[Outcome], ignored: Sequence[bytes], seconds: float
) -> Report:
    """Return the report: what each line means for the verdict, and what else is to be told."""
    doubts = find_doubts(subject.manifest, subject.runs)
    lines = [doubt(line, doubts[line.run]) if line.run in doubts else line for line in lines]
    patterns = tuple(dict.fromkeys((*subject.manifest.ignore, *ignored)))
    paths = chain((entry.path for entry in subject.entries), (line.path for line in lines if line.path is not None))
    scopes = Scopes(subject.manifest, patterns, paths)
    lines += scopes.find_unwritten(lines, [run.id for run in subject.runs])
    reached = next((outcome.reached for outcome in outcomes if outcome.reached is not None), None)
    notes = gather_notes(outcomes)
    notes += scopes.find_unused(ignored, lines)
    sorted_lines = tuple(scopes.sort(lines))
    judged = [line for line in sorted_lines if line.scope == "output"]
    if any(line.verdict in DIFFERING for line in judged):
        if not any("exit status" in line.reasons for line in judged):  # which says more than the order of names
            notes += tell_order(judged, subject.runs, subject.entries)
        notes += [f"{one.what}; {one.advice}" for one in subject.manifest.notices if one.kind == CHANGED]
        notes += filter(None, [tell_unknown_needs(subject.manifest.runs, subject.runs)])
    folders = scopes.find_folders(line for line in sorted_lines if line.scope == "other")
    incomplete = tuple(list_incomplete(subject.manifest))
    replayed = [run.id for run in subject.runs]
    claims = tuple(subject.claims.judge(sorted_lines, replayed, limited=reached is not None))
    left_out = subject.claims.count_left_out(replayed)
    if left_out:
        notes.append(
            f"{count(left_out, 'claim')} on runs that were not replayed {plural(left_out, 'is', 'are')} left out"
        )
    others = tuple(fold_others(sorted_lines, folders))
    return Report(sorted_lines, reached, tuple(notes), incomplete, others, seconds, claims)


def replay(
    target: Target, run: Run, freeze: Freeze | None, streams: Streams, limits: Limits, grants: Grants
) -> Outcome:
    """Replay a run; that its program cannot be started is an outcome here, with the status that a shell gives it."""
    try:
        with interrupts.ending_at_once():
            return start(target, run, freeze, streams=streams, limits=limits, grants=grants)
    except (CommandNotFoundError, CommandNotExecutableError) as error:
        return Outcome(run.id, error.exit_status, None, notes=(str(error),))


@contextmanager
def streams_for_verifying(shown: int | None) -> Iterator[Streams]:
    """Yield the streams of a replay that reads nothing and whose output is no data of ours."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        output = null if shown is None else shown
        yield Streams(null, output, output)
    finally:
        os.close(null)
