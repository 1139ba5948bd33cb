"""What a paper claims, judged by the results that show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.printable import count, printable_text
from rtrace.verify.verdicts import ALIKE, DIFFERING, Claimed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rtrace.manifest.model import Claim, Manifest
    from rtrace.verify.verdicts import Line, Overall

NOTHING = "nothing was compared that shows it"
_STREAMS = ("stdout", "stderr")


@dataclass(frozen=True, slots=True)
class _Place:
    """What of a run shows a claim: a path, all below a folder (it ends in /), a stream, or (neither) everything."""

    name: str = ""
    path: bytes | None = None
    stream: str | None = None

    def holds(self, line: Line) -> bool:
        """Whether a line tells of it."""
        if self.path is not None:
            folder = self.path.rstrip(b"/")
            return line.path is not None and (line.path == folder or line.path.startswith(folder + b"/"))
        return self.stream is None or (line.path is None and line.stream == self.stream)


class Claims:
    """The claims of a manifest, and by which results each is judged."""

    def __init__(self, manifest: Manifest) -> None:
        paths = {file.name: file.path for file in manifest.outputs}
        self._claims = [(claim, _find_places(claim, paths)) for claim in manifest.claims]

    def find_tolerances(self, line: Line) -> frozenset[float]:
        """Return the tolerances of claims that a result shows."""
        return frozenset(
            claim.tolerance
            for claim, places in self._claims
            if claim.tolerance is not None and claim.run == line.run and any(place.holds(line) for place in places)
        )

    def judge(self, lines: Sequence[Line], runs: Iterable[str], *, limited: bool) -> Iterator[Claimed]:
        """Yield a row for each claim on a run that was replayed; where a limit ended a run, nothing is disproved."""
        replayed = frozenset(runs)
        for claim, places in self._claims:
            if claim.run not in replayed:
                continue
            row = _judge(claim, places, [line for line in lines if line.run == claim.run])
            if limited and row.verdict == "different":
                row = Claimed(claim, "unknown", "a limit ended the replay")
            yield row

    def count_left_out(self, runs: Iterable[str]) -> int:
        """Return how many claims are on runs that were not replayed."""
        replayed = frozenset(runs)
        return sum(claim.run not in replayed for claim, _ in self._claims)


def _find_places(claim: Claim, paths: dict[str, bytes]) -> tuple[_Place, ...]:
    """Return what shows a claim; an output goes before a stream of the same name."""
    if not claim.outputs:
        return (_Place(),)
    return tuple(
        _Place(name, paths[name]) if name in paths else _Place(name, stream=name)
        for name in claim.outputs
        if name in paths or name in _STREAMS
    )


def _judge(claim: Claim, places: Sequence[_Place], lines: Sequence[Line]) -> Claimed:
    """Judge a claim: each of its outputs has to be alike, and the run has to end as it did."""
    counting = [line for line in lines if line.scope == "output"]
    status = [line for line in counting if line.path is None and line.stream is None]
    shown: list[Line] = []
    for place in places:
        found = [line for line in counting if line not in status and place.holds(line)]
        if not found and (place.path is not None or place.stream is not None):
            ignored = any(place.holds(line) for line in lines if line.scope == "ignored")
            why = "is left out of the verdict" if ignored else "was not compared"
            return Claimed(claim, "unknown", f"{printable_text(place.name)} {why}")
        shown += found
    if not shown and not status:
        return Claimed(claim, "unknown", NOTHING)
    judged = [line.judge_for(claim.tolerance) for line in dict.fromkeys((*status, *shown))]
    for verdicts, overall in ((DIFFERING, "different"), (("unknown",), "unknown")):
        wrong = [line for line in judged if line.verdict in verdicts]
        if wrong:
            more = f" (and {count(len(wrong) - 1, 'more result')})" if len(wrong) > 1 else ""
            return Claimed(claim, _overall(overall), f"{wrong[0].verdict}, {wrong[0].text}{more}")
    worst = max((line.verdict for line in judged), key=ALIKE.index)
    others = count(len(judged), "result")
    return Claimed(claim, _overall(worst), others)


def _overall(verdict: str) -> Overall:
    found: dict[str, Overall] = {
        "same": "same", "equal": "equal", "close": "close", "different": "different", "unknown": "unknown"
    }  # fmt: skip
    return found[verdict]
