"""Find out why outputs differ: all is pinned, one cause after the other is varied, and what follows it has that cause.

two frozen replays           what is not the same in both cannot be explained
one cause varied             what is another way now follows it, if it does so again
no cause varied, once more   what has changed by itself cannot be explained after all
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rtrace import interrupts
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources
from rtrace.freezing.model import CAUSES, Cause
from rtrace.limits import Limits
from rtrace.manifest.model import Manifest
from rtrace.opening import open_bundle
from rtrace.operations.explaining.observing import Experiment
from rtrace.operations.verify import Subject as Verified
from rtrace.operations.verify import read_subject
from rtrace.privacy.redacting import REDACTED
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Unpacker
from rtrace.verify.causes.observation import Observation, Subject, name_subject
from rtrace.verify.causes.telling import NAMING, explains_all, is_temporary_name
from rtrace.verify.verdicts import Line, Report

VARIANTS: Mapping[Cause, int] = {
    "time": 1,
    "random": 1,
    "hash-seed": 2,
    "process-id": 1,
    "directory-order": 1,
    "file-times": 1,
    "machine": 1,
    "address": 3,
    "thread-order": 4,
    "environment": 1,
}
"""In how many ways a cause is varied, if the first ones change nothing: the last ones are left to chance."""
BY_CHANCE: tuple[Cause, ...] = ("address", "thread-order")
"""Causes that come out another way each time that they are varied; by all others, the same way twice."""
BY_VARIABLES: tuple[Cause, ...] = ("time", "hash-seed", "machine", "environment")
"""Causes that can be varied on each target."""
NOTHING = "the results are the same in two replays: there is nothing to explain"
STARTED = "looking for causes"


class Explanation:
    """Explains the outputs of one verification."""

    def __init__(self, experiment: Experiment, manifest: Manifest, wanted: Iterable[Subject]) -> None:
        self.experiment = experiment
        self.talks = any(notice.kind == "connection" for notice in manifest.notices)
        self.wanted = set(wanted)
        self.causes: dict[Subject, list[Cause]] = {}
        self.varied: dict[Subject, list[Observation]] = {}

    def observe(self, cause: Cause | None = None, variant: int = 0) -> Observation:
        """Make a frozen replay."""
        began = time.monotonic()
        made = self.experiment.observe(self.wanted, None if cause is None else (cause, variant), frozen=True)
        debug(__name__, "a frozen replay with %s %d took %.2f s", cause, variant, time.monotonic() - began)
        return made

    def explain(self, replayed: Observation, originals: Callable[[Subject], bytes | None]) -> None:
        """Find the causes of all that is wanted. ``replayed`` is a replay as any; see `explains_all` for the rest."""
        usual = self.observe()
        self.drop_unlike(usual, self.observe())
        for cause in self.list_causes():
            for variant in range(1, VARIANTS[cause] + 1):
                if interrupts.asked_to_end():
                    return
                rest = {subject for subject in self.wanted if cause not in self.causes.get(subject, ())}
                if rest:
                    self.vary(cause, variant, usual, rest)
        self.drop_unlike(usual, self.observe())
        for subject in self.wanted:
            self.settle(subject, usual, replayed, originals(subject))

    def list_causes(self) -> Sequence[Cause]:
        """Return what can be varied here."""
        unpinned = self.experiment.find_unpinned() is not None
        causes = [cause for cause in VARIANTS if not unpinned or cause in BY_VARIABLES]
        return [cause for cause in causes if cause != "environment" or self.experiment.masked]

    def drop_unlike(self, one: Observation, other: Observation) -> None:
        """Give up on what is not the same in two replays that should be."""
        unlike = {subject for subject in self.wanted if not one.is_like(other, subject)}
        debug(__name__, "cannot be held still: %s", unlike)
        self.wanted -= unlike
        for subject in unlike:
            self.causes[subject] = []

    def vary(self, cause: Cause, variant: int, usual: Observation, rest: Collection[Subject]) -> None:
        """Vary a cause, and note what follows it, twice."""
        once = self.observe(cause, variant)
        changed = [subject for subject in rest if once.differs(usual, subject)]
        if not changed:
            return
        again = self.observe(cause, variant)
        for subject in changed:
            if again.differs(usual, subject) and (cause in BY_CHANCE or again.is_like(once, subject)):
                is_name = cause in NAMING and is_temporary_name(subject, usual, once)
                found = self.causes.setdefault(subject, [])
                named: Cause = "temporary-name" if is_name else cause
                if named not in found:
                    found.append(named)
                self.varied.setdefault(subject, []).append(once)

    def settle(self, subject: Subject, usual: Observation, replayed: Observation, original: bytes | None) -> None:
        """Look at what is left of a difference when all causes are known."""
        found = self.causes.setdefault(subject, [])
        if not found:
            if self.talks:
                found.append("network")
            return
        contents = (replayed.read(subject), usual.read(subject))
        others = [one.read(subject) for one in self.varied[subject]]
        if original is None or contents[0] is None or contents[1] is None or None in others:
            return
        if not explains_all(original, contents[0], contents[1], [one for one in others if one is not None]):
            found.append("unknown")


def explain_report(  # noqa: PLR0913 -- each is a choice of its own
    report: Report,
    bundle: Path,
    unpacker: Unpacker,
    workspace: Path,
    *,
    names: Sequence[str],
    sources: Sources,
    limits: Limits,
    grants: Grants,
    say: Callable[[str], None] = lambda _sentence: None,
) -> Report:
    """Return a report whose differing outputs have causes.

    The runs are replayed again, up to about thirty times; what is the same, and stays so in another replay, has none.
    Raises BundleError and TargetError.
    """
    if report.reached is not None:
        return report
    began = time.monotonic()
    with open_bundle(bundle) as opened:
        verified = read_subject(opened, names, workspace)
    experiment = make_experiment(bundle, unpacker, workspace, verified, sources, limits, grants)
    judged = {name_subject(line): line for line in report.lines if line.scope == "output" and line.verdict != "extra"}
    replayed = experiment.observe(judged, None, frozen=False)
    originals = find_originals(verified)
    wanted = [
        subject
        for subject, line in judged.items()
        if line.verdict != "same" or is_unlike(replayed.values.get(subject), originals.get(subject))
    ]
    if not wanted:
        return replace(report, notes=(*report.notes, NOTHING))
    say(f"{STARTED}: each of them needs further replays")
    explanation = Explanation(experiment, verified.manifest, wanted)
    with open_bundle(bundle) as opened:

        def read_original(subject: Subject) -> bytes | None:
            digest = originals.get(subject)
            content = None if digest is None else opened.find_written(digest)
            if content is None or content.offset is None:
                return None
            return b"".join(opened.read_written(content))

        explanation.explain(replayed, read_original)
    found = {subject: sort_causes(explanation.causes.get(subject) or ["unknown"]) for subject in wanted}
    lines = add_extra(tuple(replace(line, causes=found.get(name_subject(line), ())) for line in report.lines))
    return replace(report, lines=lines, seconds=report.seconds + time.monotonic() - began)


def make_experiment(
    bundle: Path,
    unpacker: Unpacker,
    workspace: Path,
    verified: Verified,
    sources: Sources,
    limits: Limits,
    grants: Grants,
) -> Experiment:
    """Return what is to be replayed."""
    results = {
        run.id: tuple(result for result in verified.results if result.run == run.id and not result.vague)
        for run in verified.runs
    }
    masked = {name for run in verified.runs for name, value in run.environ if value == REDACTED}
    return Experiment(
        bundle, unpacker, workspace, verified.runs, results, verified.entries, sources, limits, grants, masked
    )


def find_originals(verified: Verified) -> dict[Subject, str]:
    """Return the digests of what the original runs wrote and printed, as far as they are known."""
    digests = {
        Subject(result.run, result.path, None): result.sha256
        for result in verified.results
        if result.sha256 is not None
    }
    for run in verified.runs:
        for name, stream in (("stdout", run.stdout), ("stderr", run.stderr)):
            if stream is not None and stream.sha256 is not None and not stream.cut:
                digests[Subject(run.id, None, name)] = stream.sha256
    return digests


def is_unlike(value: object, digest: str | None) -> bool:
    """Whether what a replay left is known not to be what the original run did."""
    return digest is not None and isinstance(value, tuple) and digest not in value


def sort_causes(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Return causes in the order of the vocabulary."""
    return tuple(sorted(set(causes), key=CAUSES.index))


def add_extra(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return lines, those of unexpected files with the causes of missing ones beside them: a file has another name."""
    by_folder: dict[bytes, list[Cause]] = {}
    for line in lines:
        if line.verdict == "missing" and line.path is not None:
            by_folder.setdefault(line.path.rpartition(b"/")[0], []).extend(line.causes)
    return tuple(
        replace(line, causes=sort_causes(by_folder.get(line.path.rpartition(b"/")[0], ())))
        if line.verdict == "extra" and line.path is not None
        else line
        for line in lines
    )
