"""What a verification found: a line for each thing that was compared, and what all of them together mean.

A difference counts by what it is in. What a run is for are its exit status, what it prints and the outputs that the
manifest names; the rest of what it wrote (``other``) is compared and told, and has no part in the verdict; where the
manifest names no output, all that was written has. What the author said to ``ignore`` is counted and no more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from rtrace.limits import TIMED_OUT
from rtrace.printable import count, plural, printable, printable_text
from rtrace.verify.differences import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.freezing.model import Cause
    from rtrace.manifest.model import Claim
    from rtrace.verify.exhibits.model import Exhibit
    from rtrace.verify.kinds.model import Judgement

Verdict: TypeAlias = Literal["same", "equal", "close", "different", "missing", "extra", "unknown"]
Scope: TypeAlias = Literal["output", "other", "ignored"]

Overall: TypeAlias = Literal["same", "equal", "close", "different", "unknown"]

VERDICTS: tuple[Verdict, ...] = ("same", "equal", "close", "different", "missing", "extra", "unknown")
ALIKE: tuple[Verdict, ...] = ("same", "equal", "close")
"""Of results that a replay reproduced, the strictest first."""
DIFFERING: tuple[Verdict, ...] = ("different", "missing", "extra")
NO_VERDICT = 3
STREAMS = {"stdout": "standard output", "stderr": "standard error"}
_FEW = 4
"""Other files of a folder that are told one by one."""
_DEEPEST = 12
"""Names in the path of a folder that is told of, where there are many of them."""
_MOST_FOLDED = 16
"""Lines for folders of other files that a person is shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was compared: a path of a run, a stream, or its exit status (``path`` and ``stream`` are None).

    ``judgement`` is what a closer look at its content found, where there was one, ``exhibit`` what a person is shown
    of it, and ``causes`` why it differs, where somebody asked for that.
    """

    verdict: Verdict
    run: str
    path: bytes | None
    detail: str = ""
    stream: Literal["stdout", "stderr"] | None = None
    scope: Scope = "output"
    reasons: tuple[Reason, ...] = ()
    judgement: Judgement | None = None
    exhibit: Exhibit | None = None
    causes: tuple[Cause, ...] = ()
    stricter: tuple[tuple[float | None, Line], ...] = ()
    """Of a result that is close within the tolerance of a claim: what it is within smaller ones of others, and within
    that of the output itself (None)."""

    def judge_for(self, tolerance: float | None) -> Line:
        """Return what it is for a claim with this tolerance, or without one."""
        return dict(self.stricter).get(tolerance, self) if self.verdict == "close" else self

    @property
    def what(self) -> str:
        """What was compared."""
        if self.path is not None:
            return printable(self.path)
        return f"{STREAMS[self.stream] if self.stream else 'exit status'} of {self.run}"

    @property
    def text(self) -> str:
        """What was compared and, unless it is the same, how it differs."""
        return f"{self.what}: {self.detail}" if self.detail else self.what


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim of the manifest, and whether the replay shows it again; ``detail`` says by what, or why not."""

    claim: Claim
    verdict: Overall
    detail: str

    @property
    def reproduced(self) -> bool | None:
        """Whether it was reproduced; None where that could not be judged."""
        return None if self.verdict == "unknown" else self.verdict in ALIKE

    @property
    def text(self) -> str:
        """The claim, and what became of it."""
        said = {True: f"reproduced, {self.verdict}", False: "not reproduced", None: "could not be judged"}
        return f"claim of {self.claim.run}: {printable_text(self.claim.claim)}: {said[self.reproduced]} ({self.detail})"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run as it was replayed: its exit status, the wall time in seconds, and the limit that ended it.

    ``memory`` is that of its largest process, resident, in bytes; with ``is_most`` it may have been less. None where
    nobody measured it.
    """

    run: str
    exit_status: int
    seconds: float
    reached: str | None = None
    memory: int | None = None
    is_most: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """All that was compared, run by run, the exit status of each first.

    ``reached`` names the first limit that ended a run; ``notes`` are what the replays had to say of their limits;
    ``incomplete`` says, a sentence each, what the bundle lacks; ``others`` tells of other files, a folder a line;
    ``seconds`` is how long unpacking, replaying and comparing took. ``claims`` are rows of their own: they are made of
    the lines, and one that is not reproduced is a difference even where its lines are close. ``replays`` are the runs,
    in their order; ``not_shown`` counts the differences for which there is no exhibit, because there was no room.
    """

    lines: tuple[Line, ...]
    reached: str | None = None
    notes: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    seconds: float = 0.0
    claims: tuple[Claimed, ...] = ()
    replays: tuple[Replayed, ...] = ()
    not_shown: int = 0

    @property
    def exit_status(self) -> int:
        """What `rtrace verify` exits with: 0 alike, 1 different, 3 no verdict, 124 none for want of time."""
        if self.reached == "timeout":
            return TIMED_OUT
        return 0 if self.verdict in ALIKE else {"different": 1, "unknown": NO_VERDICT}[self.verdict]

    @property
    def verdict(self) -> Overall:
        """What all lines together mean: one difference is enough, and nothing compared is nothing known.

        Of results that are alike, it is the least strict likeness of all.
        """
        if self.reached is not None:
            return "unknown"
        found = self.count("output")
        claimed = {row.verdict for row in self.claims}
        if any(found[verdict] for verdict in DIFFERING) or "different" in claimed:
            return "different"
        if found["unknown"] or "unknown" in claimed or not any(found[verdict] for verdict in ALIKE):
            return "unknown"
        return "close" if found["close"] else "equal" if found["equal"] else "same"

    @property
    def same(self) -> bool:
        """Whether nothing that counts differs, and nothing that counts could not be compared."""
        return self.verdict == "same"

    def count(self, scope: Scope) -> Mapping[Verdict, int]:
        """How many lines of a scope have each verdict."""
        return Counter(line.verdict for line in self.lines if line.scope == scope)

    @property
    def others_differ(self) -> bool:
        """Whether a file that no output names is not the same."""
        others = self.count("other")
        return any(others[verdict] for verdict in VERDICTS if verdict not in ALIKE)

    @property
    def summary(self) -> str:
        """The report in one sentence."""
        found, others = self.count("output"), self.count("other")
        number, ignored = sum(found.values()), sum(self.count("ignored").values())
        differ = self.others_differ
        kinds: dict[Verdict, int]
        more = f"; other files: {list_counts(others)}" if differ else ""
        more += f"; {ignored} ignored" if ignored else ""
        more += self._tell_claims()
        if self.same:
            if others["same"] and not differ:
                more = f"; so {plural(others['same'], 'is', 'are')} {count(others['same'], 'other file')}{more}"
            return f"{'the one result is' if number == 1 else f'all {number} results are'} identical{more}"
        if self.verdict in ALIKE:
            kinds = {verdict: found[verdict] for verdict in ALIKE if found[verdict]}
            all_are = "the one result is" if number == 1 else f"all {number} results are"
            return f"{all_are} alike ({list_counts(kinds)}){more}"
        if not number:
            return f"there is nothing to compare{more}"
        differing, unknown = sum(found[verdict] for verdict in DIFFERING), found["unknown"]
        told = []
        if differing:
            kinds = {verdict: found[verdict] for verdict in DIFFERING if found[verdict]}
            only_different = kinds.keys() == {"different"}
            told.append(
                f"{differing} of {count(number, 'result')} {plural(differing, 'differs', 'differ')}"
                f"{'' if only_different else f' ({list_counts(kinds)})'}"
            )
        if unknown:
            told.append(f"{unknown} of {count(number, 'result')} could not be judged")
        if self.verdict == "unknown":
            told.append("there is no verdict")
        return "; ".join(told) + more if told else more.removeprefix("; ")

    def _tell_claims(self) -> str:
        """Return how many claims were reproduced, behind a semicolon; nothing where there are none."""
        if not self.claims:
            return ""
        shown = sum(row.reproduced is True for row in self.claims)
        unknown = sum(row.reproduced is None for row in self.claims)
        doubt = f", {unknown} could not be judged" if unknown else ""
        number = len(self.claims)
        if shown == number:
            return "; the claim is reproduced" if number == 1 else f"; all {number} claims are reproduced"
        return f"; {shown} of {count(number, 'claim')} reproduced{doubt}"


def list_counts(counts: Mapping[Verdict, int]) -> str:
    """Return how many there are of each verdict: ``3 same, 1 missing``."""
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts.get(verdict))


def fold_others(lines: Iterable[Line], folders: Mapping[bytes, bytes]) -> list[str]:
    """Return the other files for a person: a line for each folder, with its counts, and for those of a folder with few.

    ``folders`` has for a path the folder under which it is counted, where that is not the one that it lies in.
    """
    groups: dict[bytes, list[Line]] = {}
    for line in lines:
        if line.scope == "other" and line.path is not None:
            groups.setdefault(folders.get(line.path) or line.path.rpartition(b"/")[0], []).append(line)
    apart = frozenset(folders.values())
    depth = _DEEPEST
    while len(groups) > _MOST_FOLDED:
        folded: dict[bytes, list[Line]] = {}
        for folder, members in groups.items():
            folded.setdefault(b"/".join(folder.split(b"/", depth + 1)[: depth + 1]), []).extend(members)
        groups = folded
        depth -= 1
    return [
        text for folder in sorted(groups) for text in _describe_group(folder, groups[folder], is_apart=folder in apart)
    ]


def _describe_group(folder: bytes, lines: list[Line], *, is_apart: bool) -> list[str]:
    """Return a group of other files; what is apart, a program's own affair, is told as a whole."""
    if len(lines) == 1 or (len(lines) <= _FEW and not is_apart):
        return [f"{line.verdict:9}  {line.text}" for line in lines]
    return [f"{'other':9}  {printable(folder)}/: {list_counts(Counter(line.verdict for line in lines))}"]
